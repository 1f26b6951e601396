#include "sim/durable_store.h"

#include <algorithm>
#include <set>

namespace coxswain::sim {
namespace {

struct Applier {
  Rows& rows;
  void operator()(const core::ClusterRow& row) { rows.cluster = row; }
  void operator()(const core::JobRow& row) { rows.jobs[row.id] = row; }
  void operator()(const core::AttemptRow& row) { rows.attempts[{row.job, row.number}] = row; }
  void operator()(const core::RankRow& row) { rows.ranks[row.key] = row; }
  void operator()(const core::GenerationRow& row) {
    rows.generations[{row.job, row.generation}] = row;
  }
  void operator()(const core::CheckpointRow& row) { rows.checkpoints[row.id] = row; }
  void operator()(const core::NodeRow& row) { rows.nodes[row.id] = row; }
  void operator()(const core::UsageRow& row) { rows.usage[{row.queue, row.user}] = row; }
  void operator()(const core::DeleteUsage& gone) { rows.usage.erase({gone.queue, gone.user}); }
  void operator()(const core::EventRow& row) { rows.last_event = row.seq; }
  void operator()(const core::CheckpointDamaged& damaged) {
    auto found = rows.checkpoints.find(damaged.id);
    if (found == rows.checkpoints.end() || !core::CanRestore(found->second)) return;
    found->second.state = core::CheckpointState::kCorrupt;
    found->second.reason = damaged.reason;
  }
  void operator()(const core::DeleteJob& gone) {
    rows.jobs.erase(gone.job);
    std::erase_if(rows.attempts, [&](const auto& e) { return e.first.first == gone.job; });
    std::erase_if(rows.ranks, [&](const auto& e) { return e.first.job == gone.job; });
    std::erase_if(rows.generations, [&](const auto& e) { return e.first.first == gone.job; });
    std::erase_if(rows.checkpoints, [&](const auto& e) { return e.second.job == gone.job; });
  }
  void operator()(const core::DeleteEventsUpTo&) {}
  void operator()(const core::DeleteNode& gone) { rows.nodes.erase(gone.id); }
};

std::vector<core::RunTime> RunTimesOf(const std::map<base::JobId, core::JobRow>& jobs) {
  std::vector<const core::JobRow*> completed;
  for (const auto& [id, row] : jobs) {
    if (row.state == core::JobState::kCompleted) completed.push_back(&row);
  }
  std::stable_sort(completed.begin(), completed.end(),
                   [](const auto* a, const auto* b) { return a->ended < b->ended; });
  std::vector<core::RunTime> out;
  for (const core::JobRow* row : completed) {
    out.push_back({row->submitted_by, row->request.name, row->ran});
  }
  return out;
}

}  // namespace

void Rows::Apply(const core::Change& change) { std::visit(Applier{*this}, change); }

core::Snapshot Rows::Load() const {
  core::Snapshot snapshot;
  snapshot.cluster = cluster;
  for (const auto& [id, row] : nodes) snapshot.nodes.push_back(row);
  for (const auto& [key, row] : usage) snapshot.usage.push_back(row);
  std::set<base::JobId> unfinished;
  for (const auto& [id, row] : checkpoints) {
    if (core::Unfinished(row)) unfinished.insert(row.job);
  }
  std::set<base::JobId> live;
  for (const auto& [id, row] : jobs) {
    if (!core::IsFinal(row.state)) live.insert(id);
    if (live.contains(id) || unfinished.contains(id)) snapshot.jobs.push_back(row);
  }
  for (const auto& [key, row] : attempts) {
    if (live.contains(row.job)) snapshot.attempts.push_back(row);
  }
  for (const auto& [key, row] : ranks) {
    if (!live.contains(key.job)) continue;
    bool last = key.attempt == jobs.at(key.job).attempt;
    if (row.state != protocol::RankState::kExited || last) snapshot.ranks.push_back(row);
  }
  for (base::JobId job : live) {
    if (const core::GenerationRow* row = NewestGeneration(job))
      snapshot.generations.push_back(*row);
  }
  for (const auto& [id, row] : checkpoints) {
    bool wanted = live.contains(row.job) || unfinished.contains(row.job);
    if (wanted && row.state != core::CheckpointState::kDeleted) snapshot.checkpoints.push_back(row);
  }
  snapshot.run_times = RunTimesOf(jobs);
  return snapshot;
}

const core::GenerationRow* Rows::NewestGeneration(base::JobId job) const {
  auto after = generations.lower_bound({job.Next(), base::Generation(0)});
  if (after == generations.begin()) return nullptr;
  const core::GenerationRow& row = std::prev(after)->second;
  return row.job == job ? &row : nullptr;
}

const core::RankRow* Rows::FindRank(const protocol::RankKey& key) const {
  auto found = ranks.find(key);
  return found == ranks.end() ? nullptr : &found->second;
}

const core::JobRow* Rows::FindJob(base::JobId job) const {
  auto found = jobs.find(job);
  return found == jobs.end() ? nullptr : &found->second;
}

std::vector<base::JobId> Rows::FindExpired(const Retention& limits, base::WallTime now) const {
  std::vector<const core::JobRow*> ended;
  for (const auto& [id, row] : jobs) {
    if (core::IsFinal(row.state)) ended.push_back(&row);
  }
  std::stable_sort(ended.begin(), ended.end(),
                   [](const auto* a, const auto* b) { return a->ended < b->ended; });
  base::WallTime newest_too_many;
  bool too_many = limits.count > 0 && ended.size() > limits.count;
  if (too_many) newest_too_many = ended[ended.size() - 1 - limits.count]->ended;
  std::vector<base::JobId> found;
  for (const core::JobRow* row : ended) {
    bool keeps_key = !row->idempotency_key.empty() && row->submitted >= now + -limits.window;
    bool old = limits.age.count() > 0 && row->ended < now + -limits.age;
    bool beyond = too_many && row->ended <= newest_too_many;
    if (!keeps_key && (old || beyond)) found.push_back(row->id);
  }
  return found;
}

const core::JobRow* Rows::FindKey(const std::string& idempotency_key) const {
  for (auto row = jobs.rbegin(); row != jobs.rend(); ++row) {
    if (row->second.idempotency_key == idempotency_key) return &row->second;
  }
  return nullptr;
}

}  // namespace coxswain::sim
