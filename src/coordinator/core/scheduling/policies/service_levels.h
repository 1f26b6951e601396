// Two levels by attained service, for the policies `las` and `elastic`: a job is in the first (0)
// until it has had `las_threshold` of slot time, then in the second (1).
//
// What yields makes room sooner than slots that are kept idle; they are kept only for a job that
// has waited long, so that small ones cannot starve it.
#pragma once

#include "coordinator/core/scheduling/policies/policy.h"

namespace coxswain::coordinator::core {

class ServiceLevels : public Policy {
 public:
  explicit ServiceLevels(base::Duration threshold) : threshold_(threshold) {}

  SortKey BetweenQueues(const WaitingJob& head) const override { return InQueue(head); }
  bool KeepsSlotsFor(const WaitingJob& job) const override { return job.waited >= kPatience; }

 protected:
  int64_t Level(const PlannedJob& job) const { return job.slot_time < threshold_ ? 0 : 1; }

 private:
  base::Duration threshold_;
};

}  // namespace coxswain::coordinator::core
