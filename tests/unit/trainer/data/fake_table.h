// A table that a test makes up, and the sets made of it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "trainer/engine/data/table/preprocessing_fit.h"
#include "trainer/engine/data/table/table_dataset.h"
#include "trainer/engine/data/table/table_source.h"

namespace coxswain::trainer::data {

// Columns "x" and "y" (numbers), "kind" (texts; an empty one is null) and "row" (numbers: which row
// it is, counted over all files), in row groups of the sizes given.
class FakeTable : public TableFile {
 public:
  FakeTable(std::string uri, int64_t first_row, std::vector<int64_t> groups)
      : uri_(std::move(uri)), first_row_(first_row), groups_(std::move(groups)) {}

  const std::string& uri() const override { return uri_; }
  const std::vector<ColumnInfo>& columns() const override { return columns_; }
  const std::vector<int64_t>& groups() const override { return groups_; }

  absl::Status Read(size_t group, const std::vector<ColumnRequest>& columns,
                    std::vector<ColumnValues>* out) override {
    if (away) return absl::UnavailableError("the store is away");
    int64_t row = first_row_;
    for (size_t i = 0; i < group; ++i) row += groups_[i];
    out->assign(columns.size(), {});
    for (size_t i = 0; i < columns.size(); ++i) {
      for (int64_t end = row + groups_[group], at = row; at < end; ++at) {
        Add(columns[i], at, &(*out)[i]);
      }
    }
    return absl::OkStatus();
  }

  static std::string KindOf(int64_t row) { return row % 3 == 0 ? "b" : row % 3 == 1 ? "a" : ""; }

  std::vector<ColumnInfo> columns_ = {{"x", "double", ColumnKind::kNumber},
                                      {"y", "double", ColumnKind::kNumber},
                                      {"kind", "string", ColumnKind::kText},
                                      {"row", "int64", ColumnKind::kNumber},
                                      {"day", "date32", ColumnKind::kTime}};
  int64_t nan_row = -1, null_row = -1, infinite_row = -1, large_row = -1;  // of column "y"
  bool rounds = false;                                                     // likewise
  std::atomic<bool> away{false};

 private:
  void Add(const ColumnRequest& column, int64_t row, ColumnValues* out) const {
    if (column.as == ReadAs::kTexts) {
      const std::string text = column.name == "kind" ? KindOf(row) : std::to_string(row % 4);
      auto found = std::find(out->texts.begin(), out->texts.end(), text);
      const auto code = static_cast<int32_t>(found - out->texts.begin());
      if (found == out->texts.end() && !text.empty()) out->texts.push_back(text);
      out->codes.push_back(text.empty() ? -1 : code);
      return;
    }
    double value = static_cast<double>(row);
    if (column.name == "x") value = static_cast<double>(row % 7) * 1.5 - 3;
    if (column.name == "y") {
      if (row == nan_row) value = std::nan("");
      if (row == infinite_row) value = INFINITY;
      if (row == large_row) value = 1e200;
      if (rounds) {
        out->rounded_row = 2;
        out->rounded = "9007199254740993";
      }
      if (row == null_row) {
        out->nulls.resize(out->numbers.size() + 1);
        out->nulls.back() = true;
      }
    }
    out->numbers.push_back(value);
    if (!out->nulls.empty()) out->nulls.resize(out->numbers.size());
  }

  const std::string uri_;
  const int64_t first_row_;
  const std::vector<int64_t> groups_;
};

// Two files, 103 rows.
inline std::vector<std::shared_ptr<FakeTable>> TwoFakes() {
  return {std::make_shared<FakeTable>("one", 0, std::vector<int64_t>{20, 1, 30}),
          std::make_shared<FakeTable>("two", 51, std::vector<int64_t>{40, 12})};
}

// The target is the row's own number, which goes in as it is.
inline config::TableData FakeSpec(int64_t buffer_bytes = 1 << 30) {
  config::TableData spec;
  spec.target = "row";
  spec.task = config::TableTask::kRegression;
  spec.standardize = false;
  spec.buffer_bytes = buffer_bytes;
  return spec;
}

inline std::shared_ptr<TableSource> MakeSource(const std::vector<std::shared_ptr<FakeTable>>& fakes,
                                               const config::TableData& spec,
                                               RowChoice choice = {}) {
  auto columns = ChooseColumns(spec, *fakes.front());
  EXPECT_TRUE(columns.ok()) << columns.status();
  return std::make_shared<TableSource>(
      "spec.data.train.files", TableFiles(fakes.begin(), fakes.end()), *columns, spec, choice);
}

struct FakeSet {
  std::shared_ptr<const TableSource> source;
  std::shared_ptr<const Preprocessing> preprocessing;
  std::unique_ptr<Dataset> set;
};

inline FakeSet MakeSet(const config::TableData& spec, RowChoice choice = {},
                       const std::vector<std::shared_ptr<FakeTable>>& fakes = TwoFakes()) {
  FakeSet out;
  out.source = MakeSource(fakes, spec, choice);
  auto fitted = FitPreprocessing(*out.source, nullptr);
  EXPECT_TRUE(fitted.ok()) << fitted.status();
  out.preprocessing = std::make_shared<Preprocessing>(*std::move(fitted));
  auto set = MakeTableDataset(out.source, out.preprocessing, {});
  EXPECT_TRUE(set.ok()) << set.status();
  out.set = *std::move(set);
  return out;
}

}  // namespace coxswain::trainer::data
