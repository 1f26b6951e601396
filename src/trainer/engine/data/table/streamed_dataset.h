// Rows that do not fit into the job's buffer: read again in each epoch, in the order of
// window_order.h. A reader holds two windows, each of a quarter of the buffer, and one row group:
// while rows of one window are used the next is filled, little by little, on the reader's thread.
#pragma once

#include <memory>

#include "trainer/engine/data/table/table_dataset.h"

namespace coxswain::trainer::data {

class StreamedDataset : public TableDataset {
 public:
  StreamedDataset(std::shared_ptr<const TableSource> source,
                  std::shared_ptr<const Preprocessing> preprocessing)
      : TableDataset(std::move(source), std::move(preprocessing)) {}

  std::unique_ptr<SampleReader> MakeReader(const ReaderSettings& settings) const override;
  // Rows of a window, by the spec and the columns alone.
  int64_t window() const;

 private:
  friend class StreamedReader;
};

}  // namespace coxswain::trainer::data
