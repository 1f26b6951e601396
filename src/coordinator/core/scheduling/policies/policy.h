// Who goes first, and who has to make room. Quotas, limits, reservations and gangs are the
// planner's: they are the same under every policy.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string_view>
#include <tuple>
#include <vector>

#include "coordinator/core/scheduling/jobs_view.h"

namespace coxswain::coordinator::core {

// Less is first; compared number by number, unused ones are 0. Ties are decided by job id.
using SortKey = std::array<int64_t, kMostQueueLevels>;

// What has been used, as it counts for fair shares now: charge units times milliseconds, decayed.
struct Usage {
  std::vector<int64_t> queues;                             // by index, with all below
  std::vector<std::map<std::string_view, int64_t>> users;  // by index of the queue they used
};

class Policy {
 public:
  virtual ~Policy() = default;
  // Among queues, by the first job of each; asked anew whenever a job has been given slots.
  virtual SortKey BetweenQueues(const WaitingJob& head) const = 0;
  // Among the jobs of one queue. Those of one user keep their order while slots are given out.
  virtual SortKey InQueue(const WaitingJob& job) const = 0;
  // A job of the same queue makes room for this one. (What is borrowed is reclaimed whatever the
  // policy says.)
  virtual bool Yields(const RunningJob& running, const WaitingJob& to) const = 0;
  // Slots that come free are kept for this one, the first of its queue that does not fit.
  virtual bool KeepsSlotsFor(const WaitingJob&) const { return true; }
  // Of what a job gains from more ranks, when slots are left over (sizing.h).
  virtual double GrowthWeight(const PlannedJob&) const { return 1; }
};

// A large job that has waited for so long is not passed over any more by smaller ones that could
// start again and again.
inline constexpr base::Duration kPatience = base::seconds(4 * 3600);

// Of all that wait, in whatever queue, the least is the first to be given slots: those that start
// again in a moment keep theirs; then those that the quota of their queue covers, once those that
// were asked to let go have done so (else one that waits for two of them would be passed over by
// the first of these as soon as that has stopped, and it would be asked again, for ever).
using WaitingKey = std::tuple<bool, bool, SortKey, SortKey, JobId>;
inline WaitingKey KeyOf(const WaitingJob& job, const QueueTree& tree, const Policy& policy) {
  return {!job.paused, !tree.WillBeWithinQuota(job.queue, LeastDemand(job), job.holds),
          policy.BetweenQueues(job), policy.InQueue(job), job.id};
}

// `tree` and `usage` outlive it.
std::unique_ptr<Policy> MakeFifo();
std::unique_ptr<Policy> MakePriority();
std::unique_ptr<Policy> MakeFair(const SchedulingSettings& settings, const QueueTree& tree,
                                 const Usage& usage);
std::unique_ptr<Policy> MakeLas(const SchedulingSettings& settings);
std::unique_ptr<Policy> MakeElastic(const SchedulingSettings& settings);

std::unique_ptr<Policy> MakePolicy(const SchedulingSettings& settings, const QueueTree& tree,
                                   const Usage& usage);

}  // namespace coxswain::coordinator::core
