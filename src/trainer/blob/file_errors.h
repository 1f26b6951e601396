// errno as an absl::Status that says what to do.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace coxswain::trainer::blob {

// `action`: "write"; `path`: what it was done to; `error`: errno, positive.
absl::Status FileError(std::string_view action, std::string_view path, int error);

}  // namespace coxswain::trainer::blob
