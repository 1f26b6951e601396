// The queues, and who holds how much of each: what is used of a queue counts for its parents too.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/core/scheduling/settings.h"

namespace coxswain::coordinator::core {

struct Amount {
  int64_t cpus = 0, gpus = 0;
  friend bool operator==(const Amount&, const Amount&) = default;
};

// Index of a queue in the configuration's order.
using QueueIndex = size_t;

struct UserUse {
  Amount held;
  int64_t jobs = 0;
};
inline Amount Sum(const Amount& a, const Amount& b) { return {a.cpus + b.cpus, a.gpus + b.gpus}; }

class QueueTree {
 public:
  explicit QueueTree(const SchedulingSettings& settings);

  size_t size() const { return nodes_.size(); }
  const QueueSettings& settings(QueueIndex queue) const { return nodes_[queue].settings; }
  // The queue and its parents, the queue first.
  const std::vector<QueueIndex>& path(QueueIndex queue) const { return nodes_[queue].path; }
  // Empty name: the default queue. A queue that is no longer configured is the default one.
  QueueIndex Find(std::string_view name) const;
  bool Has(std::string_view name) const { return by_name_.contains(name); }
  bool IsLeaf(QueueIndex queue) const { return nodes_[queue].leaf; }

  // The highest of the queue and its parents that is no parent of `other`.
  QueueIndex SideOf(QueueIndex queue, QueueIndex other) const;
  // `sign`: 1 takes, -1 gives back.
  void Take(QueueIndex queue, std::string_view user, const Amount& amount, int sign);
  const Amount& held(QueueIndex queue) const { return nodes_[queue].held; }
  const std::map<std::string, UserUse, std::less<>>& users(QueueIndex queue) const {
    return nodes_[queue].users;
  }
  UserUse UseOf(QueueIndex queue, std::string_view user) const;
  // So much more counts for this queue's quota and limits, those below and above it aside: promised
  // to one that does not hold it yet. `sign`: 1, or -1 to take that back.
  void Promise(QueueIndex queue, std::string_view user, const Amount& amount,
               const UserUse& of_user, int sign);
  const Amount& promised(QueueIndex queue) const { return nodes_[queue].promised; }
  UserUse PromisedTo(QueueIndex queue, std::string_view user) const;

  // With so much more, the queue stays within its quota.
  bool IsWithinQuota(QueueIndex queue, const Amount& more) const;
  // The same once it has let go of `less`, and those of theirs who are about to.
  bool WillBeWithinQuota(QueueIndex queue, const Amount& more, const Amount& less) const;
  // So much of what is held is about to be let go of; nothing else changes by it.
  void Leave(QueueIndex queue, const Amount& amount);
  void ForgetLeaving();
  // If the queue held nothing else.
  bool QuotaCovers(QueueIndex queue, const Amount& whole) const;
  // `queue` may take so much back from `from`: below the parent that they have in common, the one's
  // side stays within its quota and the other's has borrowed, and so has `from` itself.
  bool MayReclaim(QueueIndex queue, const Amount& more, QueueIndex from) const;
  bool IsBorrowing(QueueIndex queue) const;
  // The first of the queue and its parents that may not have so much more.
  std::optional<QueueIndex> OverLimit(QueueIndex queue, const Amount& more) const;
  // So much is more than that queue, and a user of it, may ever have.
  bool IsNeverWithin(QueueIndex queue, const Amount& whole) const;
  // The user may not have so much more: the queue that says so.
  std::optional<QueueIndex> OverUserLimit(QueueIndex queue, std::string_view user,
                                          const Amount& more) const;

 private:
  struct Node {
    QueueSettings settings;
    std::vector<QueueIndex> path;
    bool leaf = true;
    Amount held, leaving, promised;
    std::map<std::string, UserUse, std::less<>> users, promised_users;
  };

  std::vector<Node> nodes_;
  std::map<std::string, QueueIndex, std::less<>> by_name_;
  QueueIndex default_ = 0;
};

// What is wrong with the queue of a job ("": it names none, and goes to the default one), or "".
std::string WrongQueue(const SchedulingSettings& settings, const std::string& queue);

// "8 GPUs and 64 CPU slots"; kinds that are not bounded are left out.
std::string BoundText(const Bound& bound);
// The same kinds of what is held.
std::string HeldText(const Bound& bound, const Amount& held);

}  // namespace coxswain::coordinator::core
