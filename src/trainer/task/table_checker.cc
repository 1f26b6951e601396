#include "trainer/task/table_checker.h"

#include <algorithm>

#include "common/config/quantities.h"
#include "trainer/blob/text.h"
#include "trainer/engine/data/table/table_source.h"
#include "trainer/runtime/table_files.h"

namespace coxswain::trainer::task {
namespace {

using blob::Cat;

constexpr char kTrainKey[] = "spec.data.train.files";
constexpr char kEvaluateKey[] = "spec.data.evaluate.files";

absl::Status Under(const char* key, const absl::Status& status) {
  if (absl::IsUnimplemented(status)) return status;  // not of these files
  return absl::Status(status.code(), Cat(key, ": ", status.message()));
}

absl::StatusOr<data::TableFiles> Open(const std::vector<std::string>& uris, const char* key,
                                      const config::Data& spec,
                                      const blob::StoreSettings& settings) {
  auto files = OpenTableFiles(uris, spec, true, settings);
  return files.ok() ? files : Under(key, files.status());
}

// Of one with no row groups that are known, nothing is.
bool RowsKnown(const data::TableFiles& files, const config::Data& spec) {
  return spec.format != "csv" || std::none_of(files.begin(), files.end(), [](const auto& file) {
           return file->groups().empty();
         });
}

// A row group is read as a whole, so a streamed one has to fit. (Those of CSV are cut small.)
absl::Status CheckGroups(const data::TableSource& source, const char* key, bool csv) {
  const int64_t row_bytes = source.columns().row_bytes(), buffer = source.spec().buffer_bytes;
  if (csv || source.size() <= buffer / row_bytes) return absl::OkStatus();
  for (const data::RowGroup& group : source.groups()) {
    if (group.rows <= buffer / row_bytes) continue;
    return absl::InvalidArgumentError(
        Cat(key, ": ", source.files()[group.file]->uri(), ": row group ", group.group, " has ",
            group.rows, " rows, ", config::FormatSize(group.rows * row_bytes),
            " of memory, expected at most ", config::FormatSize(buffer),
            " (spec.data.buffer); raise that, or write smaller row groups"));
  }
  return absl::OkStatus();
}

// All of them, or two windows.
uint64_t KeptBytes(const data::TableSource& source) {
  const int64_t row_bytes = source.columns().row_bytes(), buffer = source.spec().buffer_bytes;
  const bool fits = source.size() <= buffer / row_bytes;
  return static_cast<uint64_t>(fits ? source.size() * row_bytes : buffer / 2);
}

absl::Status CheckRows(const config::JobSpec& spec, const TableSummary& summary) {
  if (summary.train_rows >= 0 && summary.train_rows < spec.workers) {
    return absl::InvalidArgumentError(Cat(kTrainKey, ": found ", summary.train_rows,
                                          " rows to train on, expected at least ", spec.workers,
                                          ", one for each of the workers"));
  }
  if (summary.evaluate_rows != 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      spec.data.table.evaluate_fraction > 0
          ? Cat("spec.data.evaluate.fraction: gives no row to evaluate on, of ", summary.train_rows)
          : Cat(kEvaluateKey, ": the files hold no row"));
}

// Of columns that the job does not name.
std::string StrayWarning(const data::TableFile& first, const data::TableColumns& chosen,
                         const config::TableData& spec) {
  if (!spec.numeric.empty() || !spec.categorical.empty()) return "";
  std::string text;
  for (const data::ColumnInfo& column : first.columns()) {
    const auto& taken = chosen.categorical;
    if (column.stray.empty() || std::find(taken.begin(), taken.end(), column.name) == taken.end()) {
      continue;
    }
    text += Cat(text.empty() ? "" : "; ", "column '", column.name, "' of ", first.uri(),
                " is taken as categories, since ", column.stray);
  }
  return text.empty() ? "" : text + "; correct that, or name the columns in spec.data.columns";
}

}  // namespace

state::TableShape TableSummary::LeastShape() const {
  return {static_cast<int64_t>(columns.numeric.size()),
          std::vector<int64_t>(columns.categorical.size(), 2), columns.classes ? 2 : 1};
}

absl::StatusOr<TableSummary> CheckTables(const config::JobSpec& spec,
                                         const blob::StoreSettings& settings) {
  const config::TableData& table = spec.data.table;
  auto train = Open(table.files, kTrainKey, spec.data, settings);
  if (!train.ok()) return train.status();
  const data::TableFile& first = *train->front();
  auto columns = data::ChooseColumns(table, first);
  if (!columns.ok()) return columns.status();
  for (const auto& file : *train) {
    absl::Status same = CheckSameColumns(*columns, first, *file);
    if (!same.ok()) return Under(kTrainKey, same);
  }
  const bool csv = spec.data.format == "csv";
  TableSummary out;
  out.columns = *columns;
  out.warning = StrayWarning(first, *columns, table);
  const double fraction = table.evaluate_fraction;
  if (RowsKnown(*train, spec.data)) {
    const data::TableSource source(kTrainKey, *train, *columns, table, {fraction, false});
    if (absl::Status fit = CheckGroups(source, kTrainKey, csv); !fit.ok()) return fit;
    out.train_rows = source.size();
    out.kept_bytes = KeptBytes(source);
    const data::TableSource kept(kTrainKey, *train, *columns, table, {fraction, true});
    if (fraction > 0) out.evaluate_rows = kept.size();
  }
  if (!table.evaluate_files.empty()) {
    auto evaluate = Open(table.evaluate_files, kEvaluateKey, spec.data, settings);
    if (!evaluate.ok()) return evaluate.status();
    for (const auto& file : *evaluate) {
      absl::Status same = CheckSameColumns(*columns, first, *file);
      if (!same.ok()) return Under(kEvaluateKey, same);
    }
    if (RowsKnown(*evaluate, spec.data)) {
      const data::TableSource source(kEvaluateKey, *evaluate, *columns, table, {});
      if (absl::Status fit = CheckGroups(source, kEvaluateKey, csv); !fit.ok()) return fit;
      out.evaluate_rows = source.size();
    }
  }
  if (absl::Status rows = CheckRows(spec, out); !rows.ok()) return rows;
  return out;
}

}  // namespace coxswain::trainer::task
