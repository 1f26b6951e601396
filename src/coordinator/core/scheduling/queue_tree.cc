#include "coordinator/core/scheduling/queue_tree.h"

#include <algorithm>

#include "common/base/byte_text.h"
#include "common/base/nearest_name.h"

namespace coxswain::coordinator::core {
namespace {

bool Exceeds(const Amount& held, const Amount& more, const Bound& bound) {
  return (bound.cpus && more.cpus > 0 && held.cpus + more.cpus > *bound.cpus) ||
         (bound.gpus && more.gpus > 0 && held.gpus + more.gpus > *bound.gpus);
}

QueueSettings TheOnlyQueue() {
  return {.name = "default",
          .parent = "",
          .quota = {},
          .limit = {},
          .user_limit = {},
          .user_jobs = std::nullopt};
}

}  // namespace

QueueTree::QueueTree(const SchedulingSettings& settings) {
  for (const QueueSettings& queue : settings.queues) nodes_.push_back({.settings = queue});
  if (nodes_.empty()) nodes_.push_back({.settings = TheOnlyQueue()});
  for (QueueIndex i = 0; i < nodes_.size(); ++i) by_name_[nodes_[i].settings.name] = i;
  for (QueueIndex i = 0; i < nodes_.size(); ++i) {
    QueueIndex at = i;
    while (nodes_[i].path.size() < nodes_.size()) {
      nodes_[i].path.push_back(at);
      auto parent = by_name_.find(nodes_[at].settings.parent);
      if (parent == by_name_.end()) break;
      at = parent->second;
      nodes_[at].leaf = false;
    }
  }
  if (auto found = by_name_.find(settings.default_queue); found != by_name_.end()) {
    default_ = found->second;
  }
}

QueueIndex QueueTree::Find(std::string_view name) const {
  auto found = by_name_.find(name);
  return found == by_name_.end() ? default_ : found->second;
}

void QueueTree::Take(QueueIndex queue, std::string_view user, const Amount& amount, int sign) {
  for (QueueIndex each : nodes_[queue].path) {
    Node& node = nodes_[each];
    node.held.cpus += sign * amount.cpus;
    node.held.gpus += sign * amount.gpus;
    auto found = node.users.find(user);
    if (found == node.users.end()) found = node.users.emplace(user, UserUse()).first;
    found->second.held.cpus += sign * amount.cpus;
    found->second.held.gpus += sign * amount.gpus;
    found->second.jobs += sign;
  }
}

void QueueTree::Promise(QueueIndex queue, std::string_view user, const Amount& amount,
                        const UserUse& of_user, int sign) {
  auto add = [&](Amount* to, const Amount& more) {
    to->cpus += sign * more.cpus;
    to->gpus += sign * more.gpus;
  };
  Node& node = nodes_[queue];
  add(&node.promised, amount);
  auto found = node.promised_users.find(user);
  if (found == node.promised_users.end()) {
    found = node.promised_users.emplace(user, UserUse()).first;
  }
  add(&found->second.held, of_user.held);
  found->second.jobs += sign * of_user.jobs;
}

UserUse QueueTree::PromisedTo(QueueIndex queue, std::string_view user) const {
  auto found = nodes_[queue].promised_users.find(user);
  return found == nodes_[queue].promised_users.end() ? UserUse() : found->second;
}

bool QueueTree::IsWithinQuota(QueueIndex queue, const Amount& more) const {
  const Node& node = nodes_[queue];
  return !Exceeds(Sum(node.held, node.promised), more, node.settings.quota);
}

bool QueueTree::WillBeWithinQuota(QueueIndex queue, const Amount& more, const Amount& less) const {
  const Node& node = nodes_[queue];
  return !Exceeds({node.held.cpus + node.promised.cpus - node.leaving.cpus - less.cpus,
                   node.held.gpus + node.promised.gpus - node.leaving.gpus - less.gpus},
                  more, node.settings.quota);
}

void QueueTree::Leave(QueueIndex queue, const Amount& amount) {
  for (QueueIndex each : nodes_[queue].path) {
    nodes_[each].leaving.cpus += amount.cpus;
    nodes_[each].leaving.gpus += amount.gpus;
  }
}

void QueueTree::ForgetLeaving() {
  for (Node& node : nodes_) node.leaving = {};
}

bool QueueTree::QuotaCovers(QueueIndex queue, const Amount& whole) const {
  return !Exceeds({}, whole, nodes_[queue].settings.quota);
}

bool QueueTree::IsBorrowing(QueueIndex queue) const {
  const Amount& held = nodes_[queue].held;
  const Bound& quota = nodes_[queue].settings.quota;
  return (quota.cpus && held.cpus > *quota.cpus) || (quota.gpus && held.gpus > *quota.gpus);
}

QueueIndex QueueTree::SideOf(QueueIndex queue, QueueIndex other) const {
  const std::vector<QueueIndex>& not_of = nodes_[other].path;
  QueueIndex side = queue;
  for (QueueIndex each : nodes_[queue].path) {
    if (std::find(not_of.begin(), not_of.end(), each) != not_of.end()) break;
    side = each;
  }
  return side;
}

bool QueueTree::MayReclaim(QueueIndex queue, const Amount& more, QueueIndex from) const {
  return queue != from && IsBorrowing(from) && IsBorrowing(SideOf(from, queue)) &&
         IsWithinQuota(SideOf(queue, from), more);
}

std::optional<QueueIndex> QueueTree::OverLimit(QueueIndex queue, const Amount& more) const {
  for (QueueIndex each : nodes_[queue].path) {
    const Node& node = nodes_[each];
    if (Exceeds(Sum(node.held, node.promised), more, node.settings.limit)) return each;
  }
  return std::nullopt;
}

bool QueueTree::IsNeverWithin(QueueIndex queue, const Amount& whole) const {
  const QueueSettings& settings = nodes_[queue].settings;
  return Exceeds({}, whole, settings.limit) || Exceeds({}, whole, settings.user_limit) ||
         (settings.user_jobs && *settings.user_jobs == 0);
}

UserUse QueueTree::UseOf(QueueIndex queue, std::string_view user) const {
  auto found = nodes_[queue].users.find(user);
  return found == nodes_[queue].users.end() ? UserUse() : found->second;
}

std::optional<QueueIndex> QueueTree::OverUserLimit(QueueIndex queue, std::string_view user,
                                                   const Amount& more) const {
  for (QueueIndex each : nodes_[queue].path) {
    const QueueSettings& settings = nodes_[each].settings;
    if (!settings.user_jobs && settings.user_limit == Bound()) continue;
    const UserUse use = UseOf(each, user), promised = PromisedTo(each, user);
    if (settings.user_jobs && use.jobs + promised.jobs >= *settings.user_jobs) return each;
    if (Exceeds(Sum(use.held, promised.held), more, settings.user_limit)) return each;
  }
  return std::nullopt;
}

namespace {

// The first few that jobs may be submitted to; below `parent` if that is not empty.
std::string SomeQueues(const QueueTree& tree, const std::string& parent,
                       std::vector<std::string>* names) {
  constexpr size_t kMost = 8;
  for (QueueIndex i = 0; i < tree.size(); ++i) {
    const std::vector<QueueIndex>& path = tree.path(i);
    bool below = parent.empty() || std::any_of(path.begin(), path.end(), [&](QueueIndex each) {
                   return tree.settings(each).name == parent;
                 });
    if (tree.IsLeaf(i) && below) names->push_back(tree.settings(i).name);
  }
  std::string text;
  for (size_t i = 0; i < std::min(kMost, names->size()); ++i) {
    text += (text.empty() ? "" : ", ") + (*names)[i];
  }
  if (names->size() <= kMost) return text;
  return text + " and " + std::to_string(names->size() - kMost) + " more (cox queues)";
}

}  // namespace

std::string WrongQueue(const SchedulingSettings& settings, const std::string& queue) {
  const QueueTree tree(settings);
  const std::string& name = queue.empty() ? settings.default_queue : queue;
  if (tree.Has(name) && tree.IsLeaf(tree.Find(name))) return "";
  std::vector<std::string> names;
  if (tree.Has(queue)) {
    return "jobs go to the queues below " + queue + ": " + SomeQueues(tree, queue, &names);
  }
  const std::string there = "; the queues are: " + SomeQueues(tree, "", &names);
  if (queue.empty()) return "it is not given" + there;
  return "there is no queue " + queue + base::DidYouMean(queue, names) + there;
}

std::string BoundText(const Bound& bound) {
  return base::SlotsText(bound.cpus.value_or(-1), bound.gpus.value_or(-1));
}

std::string HeldText(const Bound& bound, const Amount& held) {
  return base::SlotsText(bound.cpus ? held.cpus : -1, bound.gpus ? held.gpus : -1);
}

}  // namespace coxswain::coordinator::core
