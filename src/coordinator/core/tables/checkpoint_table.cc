#include "coordinator/core/tables/checkpoint_table.h"

#include <algorithm>

namespace coxswain::coordinator::core {

void CheckpointTable::Apply(const CheckpointRow& row) {
  rows_[row.id] = row;
  by_job_[row.job].insert(row.id);
}

void CheckpointTable::Drop(CheckpointId id) {
  auto row = rows_.find(id);
  if (row == rows_.end()) return;
  auto of_job = by_job_.find(row->second.job);
  of_job->second.erase(id);
  if (of_job->second.empty()) by_job_.erase(of_job);
  rows_.erase(row);
}

void CheckpointTable::DropJob(JobId job) {
  for (const CheckpointRow* row : OfJob(job)) Drop(row->id);
}

const CheckpointRow* CheckpointTable::Find(CheckpointId id) const {
  auto found = rows_.find(id);
  return found == rows_.end() ? nullptr : &found->second;
}

std::vector<const CheckpointRow*> CheckpointTable::OfJob(JobId job) const {
  std::vector<const CheckpointRow*> rows;
  auto of_job = by_job_.find(job);
  if (of_job == by_job_.end()) return rows;
  for (CheckpointId id : of_job->second) rows.push_back(&rows_.at(id));
  return rows;
}

std::vector<const CheckpointRow*> CheckpointTable::NotKept(JobId job, uint32_t keep) const {
  keep = std::max<uint32_t>(1, keep);
  std::vector<const CheckpointRow*> rows = OfJob(job);
  std::vector<const CheckpointRow*> surplus;
  uint32_t verified = 0;
  bool best_verified = false;
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
    const CheckpointRow& each = **row;
    const bool best = each.best && CanRestore(each) && !best_verified;
    best_verified |= best && each.state == CheckpointState::kVerified;
    if (each.state == CheckpointState::kVerified && ++verified <= keep) continue;
    // Newer than enough verified ones: still needed, or on its way.
    bool behind = verified >= keep;
    if (each.final || best || !behind || each.state == CheckpointState::kOpen || each.collect)
      continue;
    surplus.push_back(&each);
  }
  return surplus;
}

const CheckpointRow* CheckpointTable::Best(JobId job) const {
  const CheckpointRow* found = nullptr;
  for (const CheckpointRow* row : OfJob(job)) {
    if (row->best && CanRestore(*row)) found = row;
  }
  return found;
}

bool CheckpointTable::HasStoreWork(JobId job, uint32_t keep) const {
  for (const CheckpointRow* row : OfJob(job)) {
    if (Unfinished(*row)) return true;
  }
  return !NotKept(job, keep).empty();
}

std::vector<JobId> CheckpointTable::Jobs() const {
  std::vector<JobId> jobs;
  for (const auto& [job, ids] : by_job_) jobs.push_back(job);
  return jobs;
}

void CheckpointTable::AddTo(Snapshot* rows) const {
  for (const auto& [id, row] : rows_) rows->checkpoints.push_back(row);
}

}  // namespace coxswain::coordinator::core
