// First in, first out, over all queues.
#include "coordinator/core/scheduling/policies/policy.h"

namespace coxswain::coordinator::core {
namespace {

class Fifo : public Policy {
 public:
  SortKey InQueue(const WaitingJob&) const override { return {}; }
  SortKey BetweenQueues(const WaitingJob&) const override { return {}; }
  bool Yields(const RunningJob&, const WaitingJob&) const override { return false; }
};

}  // namespace

std::unique_ptr<Policy> MakeFifo() { return std::make_unique<Fifo>(); }

}  // namespace coxswain::coordinator::core
