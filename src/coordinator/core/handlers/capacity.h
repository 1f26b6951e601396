// What the fleet has free, and what a waiting job needs of it: rows made into the planner's view.
#pragma once

#include "coordinator/core/handlers/shared_store_handler.h"
#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

// Brings turn.soft.capacity up to date.
void RefreshCapacity(Turn& turn);
// At its least size. `holder`: see HolderOf.
PendingJob Needs(const Turn& turn, JobId id, const JobRequest& request,
                 const std::optional<Holder>& holder);

}  // namespace coxswain::coordinator::core
