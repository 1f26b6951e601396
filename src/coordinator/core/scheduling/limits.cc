#include "coordinator/core/scheduling/limits.h"

#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

// ", and 2 CPU slots are promised to others"; empty: nothing of those kinds is.
std::string PromisedText(const Bound& bound, const Amount& promised) {
  const bool any = (bound.cpus && promised.cpus > 0) || (bound.gpus && promised.gpus > 0);
  return any ? ", and " + HeldText(bound, promised) + " more are promised" : "";
}

bool IsOver(int64_t has, int64_t more, const std::optional<int64_t>& bound) {
  return bound && more > 0 && has + more > *bound;
}

}  // namespace

std::string LimitText(const QueueTree& tree, QueueIndex by, const PlannedJob& job,
                      const std::string& who) {
  const QueueSettings& queue = tree.settings(by);
  return "queue " + queue.name + " may hold " + BoundText(queue.limit) + "; it holds " +
         HeldText(queue.limit, tree.held(by)) + PromisedText(queue.limit, tree.promised(by)) +
         ", " + who + " needs " + HeldText(queue.limit, job.demand) +
         (tree.IsNeverWithin(by, job.demand) ? NeverText(tree, by) : "");
}

std::string UserLimitText(const QueueTree& tree, QueueIndex by, const PlannedJob& job,
                          const std::string& who) {
  const QueueSettings& queue = tree.settings(by);
  const UserUse has = tree.UseOf(by, job.user);
  const std::string user = job.user.empty() ? "users without a name" : std::string(job.user);
  const std::string text = "a user of queue " + queue.name + " may ";
  const UserUse promised = tree.PromisedTo(by, job.user);
  if (queue.user_jobs && has.jobs + promised.jobs >= *queue.user_jobs) {
    return text + "run " + Plural(*queue.user_jobs, "job") + " at a time; " + user + " runs " +
           std::to_string(has.jobs) +
           (promised.jobs > 0 ? ", and " + std::to_string(promised.jobs) + " more will first" : "");
  }
  return text + "hold " + BoundText(queue.user_limit) + "; " + user + " holds " +
         HeldText(queue.user_limit, has.held) + PromisedText(queue.user_limit, promised.held) +
         ", " + who + " needs " + HeldText(queue.user_limit, job.demand);
}

std::string NeverText(const QueueTree& tree, QueueIndex by) {
  return ": it can never start so; raise the limit of queue " + tree.settings(by).name +
         " in the coordinator's configuration, or cancel it and submit it with fewer ranks";
}

void UserLines::Add(const QueueTree& tree, QueueIndex by, const PlannedJob& job, std::string text) {
  const QueueSettings& queue = tree.settings(by);
  UserUse has = tree.UseOf(by, job.user);
  const UserUse promised = tree.PromisedTo(by, job.user);
  has.held = Sum(has.held, promised.held);
  has.jobs += promised.jobs;
  auto& lines = lines_[{by, job.user}];
  auto add = [&](Kind kind, bool over) {
    if (over && !lines[kind]) lines[kind] = First{job.id, text};
  };
  add(kJobs, queue.user_jobs && has.jobs >= *queue.user_jobs);
  add(kCpus, IsOver(has.held.cpus, job.demand.cpus, queue.user_limit.cpus));
  add(kGpus, IsOver(has.held.gpus, job.demand.gpus, queue.user_limit.gpus));
}

const UserLines::First* UserLines::AheadOf(const QueueTree& tree, const PlannedJob& job) const {
  if (lines_.empty()) return nullptr;
  for (QueueIndex queue : tree.path(job.queue)) {
    auto found = lines_.find({queue, job.user});
    if (found == lines_.end()) continue;
    const auto& lines = found->second;
    if (lines[kJobs]) return &*lines[kJobs];
    if (lines[kCpus] && job.demand.cpus > 0) return &*lines[kCpus];
    if (lines[kGpus] && job.demand.gpus > 0) return &*lines[kGpus];
  }
  return nullptr;
}

}  // namespace coxswain::coordinator::core
