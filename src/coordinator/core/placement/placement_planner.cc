#include "coordinator/core/placement/placement_planner.h"

#include "coordinator/core/placement/gang_fit.h"
#include "coordinator/core/placement/placement_text.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {

Plan PlanPlacements(PlacementView view, const std::vector<PendingJob>& pending, const Policy&,
                    base::Time) {
  Plan plan;
  std::string holder;  // what the blocking job needs
  uint64_t ahead = 0;
  for (const PendingJob& job : pending) {
    if (plan.blocked) {
      plan.why.push_back({job.id, "first in, first out: " + Plural(ahead, "job") + " ahead; " +
                                      base::ToString(*plan.blocked) + " is first and " + holder});
      ++ahead;
      continue;
    }
    GangFit fit = FitGang(view, job, Extent::kFree);
    if (fit.shares.empty()) {
      plan.blocked = job.id;
      holder = WhyNotNow(view, job);
      ahead = 1;
      plan.why.push_back({job.id, holder});
      continue;
    }
    plan.placements.push_back(TakeSlots(&view, job, fit));
  }
  return plan;
}

}  // namespace coxswain::coordinator::core
