#include "coordinator/core/scheduling/lanes.h"

#include <algorithm>
#include <map>

namespace coxswain::coordinator::core {

Lanes::Lanes(std::vector<WaitingJob>& waiting, const QueueTree& tree, const Policy& policy)
    : tree_(tree), policy_(policy), patient_(tree.size()) {
  // By queue and user. The lost ones hold their share of quotas and limits: those bar the others
  // only.
  std::vector<std::map<std::string_view, std::array<Lane, 5>>> by_user(tree.size());
  for (WaitingJob& job : waiting) {
    const bool covered = tree.WillBeWithinQuota(job.queue, LeastDemand(job), job.holds);
    const size_t lane = job.paused ? 4 : (job.lost ? 2 : 0) + (covered ? 1 : 0);
    by_user[job.queue][job.user][lane].jobs.push_back(&job);
    if (!covered && job.waited >= kPatience) NotePatient(job);
  }
  for (auto& users : by_user) {
    for (auto& [user, lanes] : users) {
      for (Lane& lane : lanes) Add(std::move(lane));
    }
  }
}

void Lanes::NotePatient(const WaitingJob& job) {
  const WaitingJob*& first = patient_[job.queue];
  if (first == nullptr || IsBefore(job, *first)) first = &job;
}

bool Lanes::IsBefore(const WaitingJob& one, const WaitingJob& other) const {
  return std::pair(policy_.InQueue(one), one.id) < std::pair(policy_.InQueue(other), other.id);
}

// Its queue's quota covers it, and all the same it does not go before one that borrows.
bool Lanes::IsBehindPatient(const WaitingJob& job) const {
  const WaitingJob* first = patient_[job.queue];
  return first != nullptr && !job.paused && IsBefore(*first, job);
}

void Lanes::Add(Lane lane) {
  if (lane.jobs.empty()) return;
  std::vector<std::pair<SortKey, WaitingJob*>> order;
  order.reserve(lane.jobs.size());
  for (WaitingJob* job : lane.jobs) order.push_back({policy_.InQueue(*job), job});
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return std::tie(a.first, a.second->id) < std::tie(b.first, b.second->id);
  });
  for (size_t i = 0; i < order.size(); ++i) lane.jobs[i] = order[i].second;
  lanes_.push_back(std::move(lane));
}

void Lanes::Rate(Lane* lane) const {
  const WaitingJob& head = *lane->jobs[lane->at];
  lane->key = KeyOf(head, tree_, policy_);
  if (IsBehindPatient(head)) std::get<1>(lane->key) = true;
}

Lanes::Lane* Lanes::First() {
  auto later = [&](size_t a, size_t b) { return IsLater(a, b); };
  if (stale_) {
    stale_ = false;
    heads_.clear();
    for (size_t i = 0; i < lanes_.size(); ++i) {
      if (lanes_[i].at == lanes_[i].jobs.size()) continue;
      Rate(&lanes_[i]);
      heads_.push_back(i);
    }
    std::make_heap(heads_.begin(), heads_.end(), later);
  }
  if (heads_.empty()) return nullptr;
  std::pop_heap(heads_.begin(), heads_.end(), later);
  Lane* lane = &lanes_[heads_.back()];
  heads_.pop_back();
  return lane;
}

void Lanes::PutBack(Lane* lane) {
  if (lane->at == lane->jobs.size()) return;
  Rate(lane);
  heads_.push_back(static_cast<size_t>(lane - lanes_.data()));
  std::push_heap(heads_.begin(), heads_.end(), [&](size_t a, size_t b) { return IsLater(a, b); });
}

}  // namespace coxswain::coordinator::core
