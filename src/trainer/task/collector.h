// Deletes checkpoints: of each folder named, every object in it and what unfinished uploads left.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/blob/blob_store.h"

namespace coxswain::trainer::task {

struct Collected {
  uint64_t deleted = 0, bytes = 0, aborted_uploads = 0;
};

// INVALID_ARGUMENT, before anything is deleted, unless every URI lies strictly below `prefix`.
// First goes `committed`, so that what is left is no checkpoint; last the manifest, so that a
// collection that was cut off is done again whole. Folders that are gone already are OK.
absl::StatusOr<Collected> Collect(const std::string& prefix, const std::vector<std::string>& uris,
                                  const blob::StoreSettings& settings);

}  // namespace coxswain::trainer::task
