// Rows of a table as samples: in memory where they fit into the job's buffer, otherwise streamed.
// Which of the two is decided by the number of rows and the job file, never by the machine.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/engine/data/dataset.h"
#include "trainer/engine/data/table/preprocessing.h"
#include "trainer/engine/data/table/row_store.h"
#include "trainer/engine/data/table/table_source.h"

namespace coxswain::trainer::data {

// What both kinds are made of.
class TableDataset : public Dataset {
 public:
  int64_t size() const override { return source_->size(); }
  const SampleShape& shape() const override { return shape_; }
  std::vector<int64_t> ClassCounts() const override { return preprocessing_->class_counts; }
  double target_std() const override { return preprocessing_->target.std; }
  Description Describe() const override { return preprocessing_->Describe(); }

 protected:
  TableDataset(std::shared_ptr<const TableSource> source,
               std::shared_ptr<const Preprocessing> preprocessing)
      : source_(std::move(source)),
        preprocessing_(std::move(preprocessing)),
        encoder_(*source_, *preprocessing_),
        shape_(preprocessing_->Shape()) {}

  const std::shared_ptr<const TableSource> source_;
  const std::shared_ptr<const Preprocessing> preprocessing_;
  const RowEncoder encoder_;
  const SampleShape shape_;
};

// Whether the rows are kept in memory.
bool FitsInMemory(const TableSource& source);

// `groups`: the source's values, if they have been read already; otherwise empty. Errors as
// TableSource::Read's.
absl::StatusOr<std::unique_ptr<Dataset>> MakeTableDataset(
    std::shared_ptr<const TableSource> source, std::shared_ptr<const Preprocessing> preprocessing,
    std::vector<GroupValues> groups);

}  // namespace coxswain::trainer::data
