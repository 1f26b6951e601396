#include "coordinator/core/tables/attempt_table.h"

namespace coxswain::coordinator::core {

void AttemptTable::Apply(const GenerationRow& row) {
  GenerationRow& newest = generations_[row.job];
  if (newest.generation <= row.generation) newest = row;
}

void AttemptTable::DropJob(JobId job) {
  attempts_.erase(job);
  generations_.erase(job);
}

const AttemptRow* AttemptTable::Find(JobId job, Attempt number) const {
  auto of_job = attempts_.find(job);
  if (of_job == attempts_.end()) return nullptr;
  auto found = of_job->second.find(number);
  return found == of_job->second.end() ? nullptr : &found->second;
}

const AttemptRow* AttemptTable::Newest(JobId job) const {
  auto of_job = attempts_.find(job);
  return of_job == attempts_.end() ? nullptr : &of_job->second.rbegin()->second;
}

const AttemptRow* AttemptTable::Active(JobId job) const {
  const AttemptRow* newest = Newest(job);
  return newest != nullptr && !newest->ended ? newest : nullptr;
}

const GenerationRow* AttemptTable::Generation(JobId job) const {
  auto found = generations_.find(job);
  return found == generations_.end() ? nullptr : &found->second;
}

void AttemptTable::AddTo(Snapshot* rows) const {
  for (const auto& [job, attempts] : attempts_) {
    for (const auto& [number, row] : attempts) rows->attempts.push_back(row);
  }
  for (const auto& [job, row] : generations_) rows->generations.push_back(row);
}

}  // namespace coxswain::coordinator::core
