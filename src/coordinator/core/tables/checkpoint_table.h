// Checkpoints of live jobs, and of ended ones that still need work on a store.
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

// Something on a store remains to be done for it once its job has ended: at least to read it back,
// or to delete it.
inline bool Unfinished(const CheckpointRow& row) {
  return ToCollect(row) || row.state == CheckpointState::kCommitted;
}

class CheckpointTable {
 public:
  void Apply(const CheckpointRow& row);
  void Drop(CheckpointId id);
  void DropJob(JobId job);

  const CheckpointRow* Find(CheckpointId id) const;
  std::vector<const CheckpointRow*> OfJob(JobId job) const;  // ascending by id
  // What is neither final nor the newest best one that is verified, nor among the newest `keep`
  // verified ones, nor newer than those; without what is open or to be collected already.
  std::vector<const CheckpointRow*> NotKept(JobId job, uint32_t keep) const;
  // The newest best one that a restore may use; null: none.
  const CheckpointRow* Best(JobId job) const;
  // Of a job that has ended: some are to be verified or deleted.
  bool HasStoreWork(JobId job, uint32_t keep) const;
  std::vector<JobId> Jobs() const;
  void AddTo(RowHash& hash) const { hash.Add(rows_); }
  void AddTo(Snapshot* rows) const;

 private:
  std::map<CheckpointId, CheckpointRow> rows_;
  std::map<JobId, std::set<CheckpointId>> by_job_;
};

}  // namespace coxswain::coordinator::core
