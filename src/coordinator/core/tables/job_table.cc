#include "coordinator/core/tables/job_table.h"

#include "common/base/check.h"

namespace coxswain::coordinator::core {

void JobTable::Apply(const JobRow& row) {
  if (IsFinal(row.state)) {
    live_.erase(row.id);
    if (!row.idempotency_key.empty()) by_key_.erase(row.idempotency_key);
    ended_[row.id] = row;
    return;
  }
  live_[row.id] = row;
  if (!row.idempotency_key.empty()) by_key_[row.idempotency_key] = row.id;
}

void JobTable::Apply(const DeleteJob& gone) {
  CHECK(!live_.contains(gone.job)) << base::ToString(gone.job) << " has not ended";
  ended_.erase(gone.job);
}

const JobRow* JobTable::Find(JobId job) const {
  auto found = live_.find(job);
  return found == live_.end() ? nullptr : &found->second;
}

const JobRow& JobTable::Get(JobId job) const {
  const JobRow* row = Find(job);
  CHECK(row != nullptr) << "no live job " << base::ToString(job);
  return *row;
}

const JobRow* JobTable::FindEnded(JobId job) const {
  auto found = ended_.find(job);
  return found == ended_.end() ? nullptr : &found->second;
}

const JobRow* JobTable::FindKey(const std::string& idempotency_key) const {
  auto found = by_key_.find(idempotency_key);
  return found == by_key_.end() ? nullptr : Find(found->second);
}

void JobTable::AddTo(Snapshot* rows) const {
  for (const auto& [id, row] : live_) rows->jobs.push_back(row);
  for (const auto& [id, row] : ended_) rows->jobs.push_back(row);
}

}  // namespace coxswain::coordinator::core
