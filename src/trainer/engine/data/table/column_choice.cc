#include "trainer/engine/data/table/column_choice.h"

#include <algorithm>

#include "common/base/nearest_name.h"

namespace coxswain::trainer::data {
namespace {

const ColumnInfo* Find(const TableFile& file, const std::string& name) {
  const std::vector<ColumnInfo>& columns = file.columns();
  auto found = std::find_if(columns.begin(), columns.end(),
                            [&](const ColumnInfo& column) { return column.name == name; });
  return found == columns.end() ? nullptr : &*found;
}

std::string Names(const TableFile& file) {
  constexpr size_t kMost = 20;
  std::string text;
  for (size_t i = 0; i < file.columns().size(); ++i) {
    if (i == kMost) return text + ", ...";
    text += (i == 0 ? "" : ", ") + file.columns()[i].name;
  }
  return text;
}

absl::Status Missing(const std::string& key, const TableFile& file, const std::string& name) {
  std::vector<std::string> names;
  for (const ColumnInfo& column : file.columns()) names.push_back(column.name);
  const std::string near = base::DidYouMean(name, names);
  return absl::InvalidArgumentError(key + ": " + file.uri() + " has no column '" + name + "'" +
                                    (near.empty() ? "; it has " + Names(file) : near));
}

bool CanBe(ColumnKind kind, ReadAs as) {
  if (kind == ColumnKind::kOther) return false;
  return as == ReadAs::kTexts || kind != ColumnKind::kText;
}

absl::Status CheckColumn(const std::string& key, const TableFile& file, const std::string& name,
                         ReadAs as) {
  const ColumnInfo* column = Find(file, name);
  if (column == nullptr) return Missing(key, file, name);
  if (CanBe(column->kind, as)) return absl::OkStatus();
  return absl::InvalidArgumentError(key + ": the column '" + name + "' of " + file.uri() +
                                    " is of type " + column->type + ", expected " +
                                    (as == ReadAs::kNumbers
                                         ? "numbers, true/false, dates or times"
                                         : "texts, whole numbers, true/false, dates or times"));
}

void TakeAll(const TableFile& file, TableColumns* out) {
  for (const ColumnInfo& column : file.columns()) {
    if (column.name == out->target) continue;
    if (column.kind == ColumnKind::kNumber || column.kind == ColumnKind::kBool) {
      out->numeric.push_back(column.name);
    } else if (column.kind == ColumnKind::kText) {
      out->categorical.push_back(column.name);
    }
  }
}

}  // namespace

std::vector<ColumnRequest> TableColumns::Requests() const {
  std::vector<ColumnRequest> requests;
  for (const std::string& name : numeric) requests.push_back({name, ReadAs::kNumbers});
  for (const std::string& name : categorical) requests.push_back({name, ReadAs::kTexts});
  requests.push_back({target, classes ? ReadAs::kTexts : ReadAs::kNumbers});
  return requests;
}

int64_t TableColumns::row_bytes() const {
  return static_cast<int64_t>(8 * numeric.size() + 4 * categorical.size() + 8);
}

absl::StatusOr<TableColumns> ChooseColumns(const config::TableData& spec, const TableFile& first) {
  TableColumns out;
  out.target = spec.target;
  out.classes = spec.task == config::TableTask::kClassification;
  absl::Status target = CheckColumn("spec.data.target", first, out.target,
                                    out.classes ? ReadAs::kTexts : ReadAs::kNumbers);
  if (!target.ok()) {
    const ColumnInfo* column = Find(first, out.target);
    bool text = !out.classes && column != nullptr && column->kind == ColumnKind::kText;
    return text ? absl::InvalidArgumentError(std::string(target.message()) +
                                             " (spec.data.task is regression)")
                : target;
  }
  for (const std::string& name : spec.numeric) {
    absl::Status good = CheckColumn("spec.data.columns.numeric", first, name, ReadAs::kNumbers);
    if (!good.ok()) return good;
  }
  for (const std::string& name : spec.categorical) {
    absl::Status good = CheckColumn("spec.data.columns.categorical", first, name, ReadAs::kTexts);
    if (!good.ok()) return good;
  }
  out.numeric = spec.numeric;
  out.categorical = spec.categorical;
  if (out.numeric.empty() && out.categorical.empty()) TakeAll(first, &out);
  if (out.numeric.empty() && out.categorical.empty()) {
    return absl::InvalidArgumentError("spec.data.columns: " + first.uri() +
                                      " has no column of numbers or texts but the target; it has " +
                                      Names(first));
  }
  return out;
}

absl::Status CheckSameColumns(const TableColumns& chosen, const TableFile& first,
                              const TableFile& other) {
  for (const ColumnRequest& wanted : chosen.Requests()) {
    const ColumnInfo* here = Find(first, wanted.name);
    const ColumnInfo* there = Find(other, wanted.name);
    if (there == nullptr) {
      absl::Status missing = Missing("", other, wanted.name);
      return absl::InvalidArgumentError(std::string(missing.message().substr(2)) + "; " +
                                        first.uri() + " has it");
    }
    bool same = CanBe(there->kind, wanted.as) &&
                (wanted.as == ReadAs::kTexts ||
                 (here->kind == ColumnKind::kTime) == (there->kind == ColumnKind::kTime));
    if (same) continue;
    return absl::InvalidArgumentError("the column '" + wanted.name + "' of " + other.uri() +
                                      " is of type " + there->type + ", in " + first.uri() +
                                      " it is " + here->type);
  }
  return absl::OkStatus();
}

}  // namespace coxswain::trainer::data
