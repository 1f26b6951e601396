// A table file in a store; the formats find its columns and row groups when they open it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "trainer/engine/data/table/table_file.h"
#include "trainer/table/blob_input.h"

namespace coxswain::trainer::table {

class BlobTable : public data::TableFile {
 public:
  const std::string& uri() const final { return input_->uri(); }
  const std::vector<data::ColumnInfo>& columns() const final { return columns_; }
  const std::vector<int64_t>& groups() const final { return groups_; }

 protected:
  explicit BlobTable(std::shared_ptr<BlobInput> input) : input_(std::move(input)) {}

  const std::shared_ptr<BlobInput> input_;
  std::vector<data::ColumnInfo> columns_;
  std::vector<int64_t> groups_;
};

}  // namespace coxswain::trainer::table
