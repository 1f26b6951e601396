// Builds what readers see of the soft state, for what has changed since the last call.
#pragma once

#include "coordinator/core/soft.h"
#include "coordinator/core/tables/tables.h"

namespace coxswain::coordinator::core {

std::vector<LiveJob> TakeChangedJobs(const Tables& tables, Soft* soft);
// All of them; nothing if none has changed, unless they are wanted `anyway`.
std::optional<std::vector<LiveQueue>> TakeChangedQueues(const Tables& tables,
                                                        const SchedulingSettings& settings,
                                                        WallTime now, bool anyway, Soft* soft);
std::vector<LiveNode> TakeChangedNodes(const Tables& tables, Soft* soft);
std::vector<HeardNode> TakeHeardNodes(Soft* soft);

}  // namespace coxswain::coordinator::core
