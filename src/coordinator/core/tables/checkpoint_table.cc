#include "coordinator/core/tables/checkpoint_table.h"

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

void CheckpointTable::DropAllButToCollect(JobId job) {
  for (const CheckpointRow* row : OfJob(job)) {
    if (!ToCollect(*row)) Drop(row->id);
  }
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

bool CheckpointTable::HasToCollect(JobId job) const {
  for (const CheckpointRow* row : OfJob(job)) {
    if (ToCollect(*row)) return true;
  }
  return false;
}

std::vector<JobId> CheckpointTable::Jobs() const {
  std::vector<JobId> jobs;
  for (const auto& [job, ids] : by_job_) jobs.push_back(job);
  return jobs;
}

}  // namespace coxswain::coordinator::core
