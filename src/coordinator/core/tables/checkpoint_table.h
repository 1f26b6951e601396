// Checkpoints of live jobs, and those of any job that are still to be collected.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "coordinator/core/row_hash.h"

namespace coxswain::coordinator::core {

// Its objects are still to be deleted.
inline bool ToCollect(const CheckpointRow& row) {
  return row.collect && row.state != CheckpointState::kDeleted;
}

class CheckpointTable {
 public:
  void Apply(const CheckpointRow& row);
  void Drop(CheckpointId id);
  void DropAllButToCollect(JobId job);

  const CheckpointRow* Find(CheckpointId id) const;
  std::vector<const CheckpointRow*> OfJob(JobId job) const;  // ascending by id
  bool HasToCollect(JobId job) const;
  std::vector<JobId> Jobs() const;
  void AddTo(RowHash& hash) const { hash.Add(rows_); }

 private:
  std::map<CheckpointId, CheckpointRow> rows_;
  std::map<JobId, std::set<CheckpointId>> by_job_;
};

}  // namespace coxswain::coordinator::core
