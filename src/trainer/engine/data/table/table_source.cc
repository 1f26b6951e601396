#include "trainer/engine/data/table/table_source.h"

#include <cmath>
#include <limits>

#include "common/base/rng.h"

namespace coxswain::trainer::data {
namespace {

constexpr uint64_t kChoiceSalt = 0x5b117;

std::vector<int64_t> TakenRows(const RowChoice& choice, const RowGroup& group) {
  std::vector<int64_t> taken;
  taken.reserve(static_cast<size_t>(group.taken));
  for (int64_t row = 0; row < group.rows; ++row) {
    if (choice.Takes(group.first_row + row)) taken.push_back(row);
  }
  return taken;
}

}  // namespace

bool RowChoice::Takes(int64_t row) const {
  if (fraction <= 0) return !evaluation;
  uint64_t draw = base::Mix64(base::Mix64(static_cast<uint64_t>(row)) ^ kChoiceSalt);
  return (static_cast<double>(draw >> 11) * 0x1p-53 < fraction) == evaluation;
}

TableSource::TableSource(std::string key, TableFiles files, TableColumns columns,
                         const config::TableData& spec, RowChoice choice)
    : key_(std::move(key)),
      files_(std::move(files)),
      columns_(std::move(columns)),
      spec_(spec),
      choice_(choice) {
  int64_t row = 0;
  for (size_t file = 0; file < files_.size(); ++file) {
    const std::vector<int64_t>& rows = files_[file]->groups();
    for (size_t group = 0; group < rows.size(); ++group) {
      RowGroup next{file, group, row, rows[group], 0};
      if (choice_.fraction <= 0) {
        next.taken = choice_.Takes(row) ? next.rows : 0;
      } else {
        for (int64_t i = 0; i < next.rows; ++i) next.taken += choice_.Takes(row + i);
      }
      row += next.rows;
      size_ += next.taken;
      if (next.taken > 0) groups_.push_back(next);
    }
  }
}

std::string TableFile::PlaceOf(size_t group, int64_t row) const {
  int64_t before = 0;
  for (size_t i = 0; i < group; ++i) before += groups()[i];
  return "row group " + std::to_string(group) + ", row " + std::to_string(row) + " of it (row " +
         std::to_string(before + row) + " of the file, counted from 0)";
}

absl::Status TableSource::Unfit(size_t group, int64_t row, const std::string& column,
                                const std::string& what) const {
  const RowGroup& at = groups_[group];
  const TableFile& file = *files_[at.file];
  return absl::FailedPreconditionError(key_ + ": " + file.uri() + ": " +
                                       file.PlaceOf(at.group, row) + ", column '" + column +
                                       "': " + what);
}

absl::Status TableSource::Clean(size_t group, const std::string& column, bool target,
                                const std::vector<int64_t>& taken, ColumnValues* values) const {
  const bool refuse = target || spec_.nulls == config::Nulls::kRefuse;
  const double instead =
      spec_.nulls == config::Nulls::kMean ? std::numeric_limits<double>::quiet_NaN() : 0.0;
  for (int64_t row : taken) {
    auto at = static_cast<size_t>(row);
    double& value = values->numbers[at];
    bool null = !values->nulls.empty() && values->nulls[at];
    if (!null && std::isfinite(value)) continue;
    if (!null && std::isnan(value) && spec_.nan_is_null && !target) null = true;
    if (!null) {
      return Unfit(group, row, column,
                   std::isnan(value) ? "found NaN, expected a number" +
                                           std::string(target ? ""
                                                              : "; spec.data.nan: \"null\" "
                                                                "takes it as a missing one")
                                     : "found an infinite number, expected a finite one");
    }
    if (refuse) {
      return Unfit(group, row, column,
                   target ? "found no value, and this is the target"
                          : "found no value, expected a number; spec.data.nulls: mean (or zero) "
                            "puts one there");
    }
    value = instead;
  }
  return absl::OkStatus();
}

absl::StatusOr<GroupValues> TableSource::Read(size_t group) const {
  const RowGroup& at = groups_[group];
  const std::vector<ColumnRequest> requests = columns_.Requests();
  GroupValues out;
  absl::Status read = files_[at.file]->Read(at.group, requests, &out.columns);
  if (!read.ok()) return absl::Status(read.code(), key_ + ": " + std::string(read.message()));
  out.taken = TakenRows(choice_, at);
  for (size_t i = 0; i < requests.size(); ++i) {
    bool target = i + 1 == requests.size();
    ColumnValues& values = out.columns[i];
    if (requests[i].as == ReadAs::kNumbers) {
      absl::Status clean = Clean(group, requests[i].name, target, out.taken, &values);
      if (!clean.ok()) return clean;
    } else if (target) {
      for (int64_t row : out.taken) {
        if (values.codes[static_cast<size_t>(row)] >= 0) continue;
        return Unfit(group, row, requests[i].name, "found no value, and this is the target");
      }
    }
  }
  return out;
}

}  // namespace coxswain::trainer::data
