// Who has had the least of his share goes first: queues against their sisters by what they used
// over their weight, from the top of the tree down (as Slurm's Fair Tree), then the users of a
// queue. What they hold now counts as if they had it for an hour more, so that slots that come free
// together are shared at once. A higher priority goes before that within its queue, and makes lower
// ones yield.
#include <algorithm>

#include "coordinator/core/scheduling/policies/policy.h"
#include "coordinator/core/scheduling/usage.h"

namespace coxswain::coordinator::core {
namespace {

class Fair : public Policy {
 public:
  Fair(const SchedulingSettings& settings, const QueueTree& tree, const Usage& usage)
      : settings_(settings), tree_(tree), usage_(usage) {}

  SortKey BetweenQueues(const WaitingJob& head) const override {
    SortKey key{};
    const std::vector<QueueIndex>& path = tree_.path(head.queue);
    for (size_t level = 0; level < path.size() && level < key.size(); ++level) {
      QueueIndex queue = path[path.size() - 1 - level];
      key[level] =
          FairUse(usage_.queues[queue], tree_.held(queue), tree_.settings(queue), settings_);
    }
    return key;
  }

  SortKey InQueue(const WaitingJob& job) const override {
    const auto& used = usage_.users[job.queue];
    const auto& held = tree_.users(job.queue);
    int64_t share = 0;
    if (auto found = used.find(job.user); found != used.end()) share = found->second;
    if (auto found = held.find(job.user); found != held.end())
      share += InAnHour(found->second.held, settings_);
    return {-int64_t{job.priority}, share};
  }

  bool Yields(const RunningJob& running, const WaitingJob& to) const override {
    return running.priority < to.priority;
  }

 private:
  const SchedulingSettings& settings_;
  const QueueTree& tree_;
  const Usage& usage_;
};

}  // namespace

std::unique_ptr<Policy> MakeFair(const SchedulingSettings& settings, const QueueTree& tree,
                                 const Usage& usage) {
  return std::make_unique<Fair>(settings, tree, usage);
}

}  // namespace coxswain::coordinator::core
