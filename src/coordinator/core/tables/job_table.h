// Jobs that have not ended, and those ended whose checkpoints are still to be verified or
// collected.
#pragma once

#include <map>
#include <string>

#include "coordinator/core/row_hash.h"

namespace coxswain::coordinator::core {

class JobTable {
 public:
  void Apply(const JobRow& row);
  void Apply(const DeleteJob& gone);
  void DropEnded(JobId job) { ended_.erase(job); }

  const JobRow* Find(JobId job) const;       // live ones; null: none
  const JobRow& Get(JobId job) const;        // live; must exist
  const JobRow* FindEnded(JobId job) const;  // ended, with work on stores left
  const JobRow* FindKey(const std::string& idempotency_key) const;  // live
  const std::map<JobId, JobRow>& live() const { return live_; }
  void AddTo(RowHash& hash) const { hash.Add(live_).Add(ended_); }
  void AddTo(Snapshot* rows) const;

 private:
  std::map<JobId, JobRow> live_, ended_;
  std::map<std::string, JobId> by_key_;
};

}  // namespace coxswain::coordinator::core
