// Looks at every row before it is committed, against what is committed: what may never happen to
// the durable state, whatever the world does.
#pragma once

#include "sim/durable_store.h"
#include "sim/journal.h"

namespace coxswain::sim {

struct World;

class RowChecker {
 public:
  explicit RowChecker(World* world) : world_(*world) {}

  void Check(const Rows& rows, const core::Change& change);
  // A task is about to delete the objects of this checkpoint.
  void Deleting(const std::string& uri);

  // How the job was when retention removed it; null: it did not.
  const core::JobRow* Retired(base::JobId job) const;

  // The highest position of the job's checkpoints that are committed, wanted and whole; -1: none.
  int64_t BestPosition(const Rows& rows, base::JobId job) const;

 private:
  void On(const Rows& rows, const core::ClusterRow& row);
  void On(const Rows& rows, const core::JobRow& row);
  void On(const Rows& rows, const core::AttemptRow& row);
  void On(const Rows& rows, const core::RankRow& row);
  void On(const Rows& rows, const core::GenerationRow& row);
  void On(const Rows& rows, const core::CheckpointRow& row);
  void On(const Rows& rows, const core::CheckpointDamaged& damaged);
  void On(const Rows& rows, const core::EventRow& row);
  void On(const Rows&, const core::NodeRow&) {}
  void On(const Rows& rows, const core::DeleteJob& gone);
  void On(const Rows&, const core::UsageRow&) {}
  void On(const Rows&, const core::DeleteUsage&) {}
  void On(const Rows&, const core::DeleteEventsUpTo&) {}
  void On(const Rows& rows, const core::DeleteNode& gone);

  void CheckSlots(const Rows& rows, const core::RankRow& row);
  void CheckLimits(const Rows& rows, const core::AttemptRow& row, const core::JobRow& job);
  void CheckBatch(const Rows& rows, const core::GenerationRow& row, const std::string& name);
  void CheckCommit(const Rows& rows, const core::CheckpointRow& row);
  void CheckBest(const Rows& rows, const core::CheckpointRow& row, const Reading& reading);
  void CheckCollect(const Rows& rows, const core::CheckpointRow& row);
  // Checkpoints that a job of --resume-from has yet to begin with.
  void CheckUnused(const std::string& uri);
  void CheckDamage(const core::CheckpointRow& row, const std::string& why);
  void CheckEnd(const Rows& rows, const core::JobRow& row);
  bool Happened(Counted what) const;
  void Require(bool holds, const std::string& what);

  World& world_;
  std::map<base::JobId, core::JobRow> retired_;
};

}  // namespace coxswain::sim
