// The highest priority first, the older one of two that are equal. Lower ones of the same queue
// make room.
#include "coordinator/core/scheduling/policies/policy.h"

namespace coxswain::coordinator::core {
namespace {

class Priority : public Policy {
 public:
  SortKey InQueue(const WaitingJob& job) const override { return {-int64_t{job.priority}}; }
  SortKey BetweenQueues(const WaitingJob& head) const override { return {-int64_t{head.priority}}; }
  bool Yields(const RunningJob& running, const WaitingJob& to) const override {
    return running.priority < to.priority;
  }
};

}  // namespace

std::unique_ptr<Policy> MakePriority() { return std::make_unique<Priority>(); }

}  // namespace coxswain::coordinator::core
