// Are a job's tables there, readable, alike, and do they have the columns that it names?
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "common/config/job_spec.h"
#include "trainer/blob/blob_store.h"
#include "trainer/engine/data/table/column_choice.h"
#include "trainer/state/state_list.h"

namespace coxswain::trainer::task {

struct TableSummary {
  data::TableColumns columns;
  // Below 0: not known without reading everything (of large CSV files).
  int64_t train_rows = -1, evaluate_rows = -1;
  std::string warning;  // columns that nobody chose, and that may not be what they were taken for
  uint64_t kept_bytes = 0;  // of the training rows that each rank keeps at once, as far as known

  // The least that the model will be: how many categories and classes there are shows only when all
  // rows have been read.
  state::TableShape LeastShape() const;
};

// Looks at the end of each Parquet file and the beginning of each CSV file. Errors begin with the
// key and say which file, what was found and what was expected.
absl::StatusOr<TableSummary> CheckTables(const config::JobSpec& spec,
                                         const blob::StoreSettings& settings);

}  // namespace coxswain::trainer::task
