// One file of text.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "trainer/blob/blob_store.h"

namespace coxswain::trainer::text {

// Its content, unpacked if it is gzip or zstd (known by the first bytes). INVALID_ARGUMENT: empty,
// or packed and damaged or cut short; RESOURCE_EXHAUSTED: more than `most` bytes.
absl::StatusOr<std::string> ReadTextFile(const std::string& uri, uint64_t most,
                                         const blob::StoreSettings& settings);

// The parts of it: `file` as it is, or unpacked.
absl::StatusOr<std::string> Unpacked(std::string file, const std::string& uri, uint64_t most);

}  // namespace coxswain::trainer::text
