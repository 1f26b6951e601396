// One file of tokens: numbers without a header (.bin, as nanoGPT and others write it), or .npy.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "trainer/blob/blob_store.h"
#include "trainer/engine/data/token_store.h"

namespace coxswain::trainer::text {

// file:// is mapped into memory, s3:// read by ranges as it is needed. `width`: bytes of a number
// of a file without a header. INVALID_ARGUMENT: empty, cut, or not of 16- or 32-bit numbers.
absl::StatusOr<data::TokenPart> OpenTokenFile(const std::string& uri, uint32_t width,
                                              const blob::StoreSettings& settings);

// Of .npy (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html): what its header
// says. `head`: the file's first bytes, 4 kB of them or all.
struct NpyHeader {
  uint64_t bytes = 0;  // of the header
  int64_t count = 0;
  int width = 2;
};
absl::StatusOr<NpyHeader> ParseNpyHeader(std::string_view head);

}  // namespace coxswain::trainer::text
