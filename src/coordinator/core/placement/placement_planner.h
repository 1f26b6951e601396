// Which waiting jobs get which slots: a pure call on a view.
//
// Gangs are placed whole or not at all, first in first out: the first job that does not fit holds
// back all after it, so that no stream of small jobs can starve a large one. Where a gang goes:
// gang_fit.h.
#pragma once

#include <optional>
#include <vector>

#include "coordinator/core/decisions.h"
#include "coordinator/core/placement/fleet_view.h"

namespace coxswain::coordinator::core {

struct Policy {};  // first in, first out: nothing to set yet

struct Plan {
  std::vector<Placement> placements;
  std::vector<Explanation> why;  // of each job not placed
  std::optional<JobId> blocked;  // the first that did not fit
};

// `pending`: oldest first. `view` is taken by value: the plan uses it up.
Plan PlanPlacements(PlacementView view, const std::vector<PendingJob>& pending,
                    const Policy& policy, base::Time now);

}  // namespace coxswain::coordinator::core
