// Which files a list in a job means.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/blob/blob_store.h"

namespace coxswain::trainer::text {

// Each of `uris` is a file, a folder (all files below it) or has * and ? in its last part; what one
// of them gives comes in the order of the names. NOT_FOUND: one gives nothing.
absl::StatusOr<std::vector<std::string>> FilesOf(const std::vector<std::string>& uris,
                                                 const blob::StoreSettings& settings);

// Whether * (any characters) and ? (any one) of the pattern make the name.
bool Matches(std::string_view name, std::string_view pattern);

}  // namespace coxswain::trainer::text
