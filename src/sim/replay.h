// `cox-sim replay`: runs recordings of a coordinator (coordinator/record) through the real core
// again, and compares what it decides.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

#include "coordinator/record/recorded.h"

namespace coxswain::sim {

struct ReplayResult {
  uint64_t turns = 0;  // that were compared
  base::WallTime first, last;
  std::string begins, ends;  // why; `ends` empty: its process had no time to say
  base::Term term;
  std::string difference;  // of the first turn that differs; empty: none does
  std::string cut;         // the bytes end within a record
};

// One segment. InvalidArgument: not a recording, or of another version. DataLoss: damaged.
absl::StatusOr<ReplayResult> ReplaySegment(std::string_view bytes);

// Files, or folders of them. 0: all turns agree; 1: one differs; 2: a file is no whole recording.
int Replay(const std::vector<std::string>& paths);

}  // namespace coxswain::sim
