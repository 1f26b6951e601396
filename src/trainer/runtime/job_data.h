// A job's samples, read from where its file says.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "common/config/job_spec.h"
#include "trainer/blob/blob_store.h"
#include "trainer/engine/data/dataset.h"

namespace coxswain::trainer {

struct JobData {
  std::unique_ptr<data::Dataset> train, evaluate;  // the latter may be null
};

// Reads and checks all of it. INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED: the user's to mend;
// other codes: the store could not be read for as long as `settings` has patience.
absl::StatusOr<std::unique_ptr<JobData>> ReadJobData(const config::Data& spec,
                                                     const blob::StoreSettings& settings);

}  // namespace coxswain::trainer
