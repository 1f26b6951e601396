// Are a job's IDX files there, readable, whole, and do images and labels belong together?
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/config/job_spec.h"
#include "trainer/blob/blob_store.h"

namespace coxswain::trainer::task {

struct IdxSummary {
  uint64_t samples = 0;
  uint64_t channels = 1, height = 0, width = 0;
};

// `key`: "spec.data.train", for messages. Errors begin with the key and the file, and say what was
// found and expected. Images are not unpacked unless something is wrong with their size.
absl::StatusOr<IdxSummary> CheckIdxPair(const config::IdxPair& pair, const std::string& key,
                                        int64_t classes, const blob::StoreSettings& settings);

}  // namespace coxswain::trainer::task
