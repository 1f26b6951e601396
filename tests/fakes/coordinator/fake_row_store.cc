#include "tests/fakes/coordinator/fake_row_store.h"

#include <set>

namespace coxswain::fakes {

namespace core = coordinator::core;

namespace {

std::vector<core::RunTime> RunTimesOf(const std::map<base::JobId, core::JobRow>& jobs) {
  std::vector<core::RunTime> out;
  for (const auto& [id, row] : jobs) {
    if (row.state != core::JobState::kCompleted) continue;
    out.push_back({row.submitted_by, row.request.name, row.ran});
  }
  return out;
}

}  // namespace

void FakeRowStore::Commit(const std::vector<core::Change>& changes) {
  for (const core::Change& change : changes) {
    std::visit([this](const auto& row) { On(row); }, change);
  }
}

void FakeRowStore::On(const core::CheckpointDamaged& damaged) {
  auto found = checkpoints_.find(damaged.id);
  if (found == checkpoints_.end() || !core::CanRestore(found->second)) return;
  found->second.state = core::CheckpointState::kCorrupt;
  found->second.reason = damaged.reason;
}

void FakeRowStore::On(const core::DeleteJob& gone) {
  jobs_.erase(gone.job);
  std::erase_if(attempts_, [&](const auto& entry) { return entry.first.first == gone.job; });
  std::erase_if(ranks_, [&](const auto& entry) { return entry.first.job == gone.job; });
  std::erase_if(generations_, [&](const auto& entry) { return entry.first.first == gone.job; });
  std::erase_if(checkpoints_, [&](const auto& entry) { return entry.second.job == gone.job; });
  std::erase_if(events_, [&](const auto& entry) { return entry.second.job == gone.job; });
}

void FakeRowStore::On(const core::DeleteEventsUpTo& gone) {
  std::erase_if(events_, [&](const auto& entry) { return entry.first <= gone.seq; });
}

core::Snapshot FakeRowStore::Load() {
  cluster_.term = cluster_.term.Next();
  core::Snapshot snapshot;
  snapshot.cluster = cluster_;
  std::set<base::JobId> unfinished;
  auto live = [&](base::JobId job) {
    auto found = jobs_.find(job);
    return found != jobs_.end() && !core::IsFinal(found->second.state);
  };
  for (const auto& [id, row] : nodes_) snapshot.nodes.push_back(row);
  for (const auto& [key, row] : usage_) snapshot.usage.push_back(row);
  for (const auto& [id, row] : checkpoints_) {
    bool collect = row.collect && row.state != core::CheckpointState::kDeleted;
    if (collect || row.state == core::CheckpointState::kCommitted) unfinished.insert(row.job);
  }
  for (const auto& [id, row] : checkpoints_) {
    if (row.state == core::CheckpointState::kDeleted) continue;
    if (live(row.job) || unfinished.contains(row.job)) snapshot.checkpoints.push_back(row);
  }
  for (const auto& [id, row] : jobs_) {
    if (live(id) || unfinished.contains(id)) snapshot.jobs.push_back(row);
  }
  for (const auto& [key, row] : attempts_) {
    if (live(row.job)) snapshot.attempts.push_back(row);
  }
  for (const auto& [key, row] : ranks_) {
    if (!live(key.job)) continue;
    if (!row.exit || key.attempt == jobs_.at(key.job).attempt) snapshot.ranks.push_back(row);
  }
  for (const auto& [key, row] : generations_) {
    if (!live(row.job)) continue;
    auto next = generations_.upper_bound(key);
    if (next == generations_.end() || next->first.first != row.job) {
      snapshot.generations.push_back(row);
    }
  }
  snapshot.run_times = RunTimesOf(jobs_);
  return snapshot;
}

}  // namespace coxswain::fakes
