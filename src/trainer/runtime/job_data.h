// A job's samples, read from where its file says.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/config/job_spec.h"
#include "trainer/blob/blob_store.h"
#include "trainer/engine/data/dataset.h"

namespace coxswain::trainer {

struct JobData {
  std::unique_ptr<data::Dataset> train, evaluate;  // the latter may be null
  std::string tokenizer_json;                      // of text, to go with the model; or empty
  std::string preprocessing;  // of a table: data::ToJson's text, which checkpoints carry; or empty
};

// A folder of the job's own, for what is worked out once.
struct JobPlace {
  std::string store;   // URI; empty: there is none, and every rank works it out for itself
  std::string folder;  // below it: "CLUSTER/j12"
};

// Reads and checks all of it. INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED: the user's to mend;
// other codes: the store could not be read for as long as `settings` has patience.
absl::StatusOr<std::unique_ptr<JobData>> ReadJobData(const config::Data& spec,
                                                     const JobPlace& place,
                                                     const blob::StoreSettings& settings);

}  // namespace coxswain::trainer
