// The jobs as the planner sees them: those that wait, and those that hold slots.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "coordinator/core/placement/fleet_view.h"
#include "coordinator/core/scheduling/queue_tree.h"

namespace coxswain::coordinator::core {

// What both kinds have. The texts are the rows'.
struct PlannedJob {
  JobId id;
  QueueIndex queue = 0;
  std::string_view user;
  int32_t priority = 0;
  Amount demand;             // or what it holds
  int64_t slots = 1;         // GPUs, or CPU slots of a job without
  base::Duration slot_time;  // that, times how long it has had them so far
};

struct WaitingJob : PlannedJob {
  base::Duration waited;                   // since it was submitted or last let go
  std::optional<base::Duration> expected;  // how long it would run
};

struct RunningJob : PlannedJob {
  base::Time started;
  std::optional<base::Time> ends;  // as expected; past: any moment
  bool stopping = false;           // asked to let go, or about to
};

}  // namespace coxswain::coordinator::core
