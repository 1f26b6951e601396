// Removes the folders of jobs that are over. Slow on big logs: for a thread that may wait.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "common/base/ids.h"
#include "common/base/time.h"

namespace coxswain::worker::process {

// The coordinator has all there is to know of the job: its folder counts as over from now on.
absl::Status MarkForgotten(const std::string& data_dir, base::JobId job);

struct Retention {
  base::Duration age{};     // since the job's end
  int64_t bytes = 0;        // of all folders of jobs that are over
  bool disk_short = false;  // then as if `bytes` were 0
};
// Oldest first. A job with a rank whose end is not acknowledged is never touched. Returns how many
// folders went.
int RemoveOldFolders(const std::string& data_dir, const Retention& keep, base::WallTime now);

}  // namespace coxswain::worker::process
