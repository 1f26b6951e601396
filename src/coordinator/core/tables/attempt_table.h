// All attempts of live jobs, and each job's newest generation.
#pragma once

#include <map>

#include "coordinator/core/row_hash.h"

namespace coxswain::coordinator::core {

class AttemptTable {
 public:
  void Apply(const AttemptRow& row) { attempts_[row.job][row.number] = row; }
  void Apply(const GenerationRow& row);
  void DropJob(JobId job);

  const AttemptRow* Find(JobId job, Attempt number) const;
  const AttemptRow* Newest(JobId job) const;
  // The attempt that holds ranks: the newest one, while it has not ended.
  const AttemptRow* Active(JobId job) const;
  const GenerationRow* Generation(JobId job) const;  // newest; null: none yet
  void AddTo(RowHash& hash) const { hash.Add(attempts_).Add(generations_); }
  void AddTo(Snapshot* rows) const;

 private:
  std::map<JobId, std::map<Attempt, AttemptRow>> attempts_;
  std::map<JobId, GenerationRow> generations_;
};

}  // namespace coxswain::coordinator::core
