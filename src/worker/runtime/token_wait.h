// The token file that a coordinator on this machine is about to write.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace coxswain::worker {

// Says once that it waits, then looks with the pauses of a reconnection until `path` is there.
// Cancelled: SIGTERM or SIGINT came (`signal_fd`), or the lifeline closed (`lifeline_fd`, -1:
// none). Others: the file is there, but holds no token, or cannot be read.
absl::StatusOr<std::string> WaitForToken(const std::string& path, int signal_fd, int lifeline_fd);

}  // namespace coxswain::worker
