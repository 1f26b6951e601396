// Starts a shim. It lives in a session of its own and is no concern of this process's death; while
// this process lives it is its parent and must reap it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/time.h"

namespace coxswain::worker::process {

struct ShimProgram {
  std::string shim;                      // path of cox-shim
  std::string folder;                    // the rank's, existing
  std::vector<std::string> program;      // path and arguments
  std::vector<std::string> environment;  // "NAME=value"
  int lifeline_fd = -1;                  // passed on; -1: none
  int64_t log_file_bytes = int64_t{64} << 20;
  uint32_t log_files = 4;
  base::Duration grace = base::seconds(10);
};

struct StartedShim {
  pid_t pid = -1;
  int control_fd = -1;  // connected and subscribed; non-blocking; the caller's
};

// Takes the folder's shim lock on the shim's behalf first: AlreadyExists if another shim holds it.
absl::StatusOr<StartedShim> StartShim(const ShimProgram& program);

// A connection to the shim of an earlier life of this worker; non-blocking.
absl::StatusOr<int> ConnectToShim(const std::string& folder);

}  // namespace coxswain::worker::process
