// The hard state in memory. Apply is the one way in: for live decisions, for a start from a
// snapshot, and for replay; what the tables hold is a function of the rows alone.
#pragma once

#include "coordinator/core/tables/attempt_table.h"
#include "coordinator/core/tables/checkpoint_table.h"
#include "coordinator/core/tables/job_table.h"
#include "coordinator/core/tables/rank_table.h"

namespace coxswain::coordinator::core {

// By queue and user.
using UsageTable = std::map<std::pair<std::string, std::string>, UsageRow>;

class Tables {
 public:
  Tables() = default;
  explicit Tables(const Snapshot& snapshot);

  void Apply(const Change& change);
  uint64_t Digest() const;
  // All of it: tables made of these are the same.
  Snapshot Rows() const;

  const ClusterRow& cluster() const { return cluster_; }
  const JobTable& jobs() const { return jobs_; }
  const AttemptTable& attempts() const { return attempts_; }
  const RankTable& ranks() const { return ranks_; }
  const CheckpointTable& checkpoints() const { return checkpoints_; }
  const std::map<NodeId, NodeRow>& nodes() const { return nodes_; }
  const NodeRow* FindNode(const NodeId& node) const;
  const std::set<NodeId>& NodesNamed(const std::string& name) const;
  // Live jobs without an active attempt, oldest first: the queue.
  const std::set<JobId>& waiting() const { return waiting_; }
  // Those with one.
  const std::set<JobId>& active() const { return active_; }
  const UsageTable& usage() const { return usage_; }

 private:
  void On(const ClusterRow& row) { cluster_ = row; }
  void On(const JobRow& row);
  void On(const AttemptRow& row);
  void On(const RankRow& row);
  void On(const GenerationRow& row);
  void On(const CheckpointRow& row);
  void On(const NodeRow& row);
  void On(const UsageRow& row) { usage_[{row.queue, row.user}] = row; }
  void On(const EventRow&) {}  // read from the store, never from here
  void On(const CheckpointDamaged& damaged);
  void On(const DeleteJob& gone);
  void On(const DeleteEventsUpTo&) {}
  void On(const DeleteNode& gone);
  void On(const DeleteUsage& gone) { usage_.erase({gone.queue, gone.user}); }
  void Unname(const NodeId& node);
  void RefreshWaiting(JobId job);
  void DropEndedUnlessNeeded(JobId job);

  ClusterRow cluster_;
  JobTable jobs_;
  AttemptTable attempts_;
  RankTable ranks_;
  CheckpointTable checkpoints_;
  std::map<NodeId, NodeRow> nodes_;
  std::map<std::string, std::set<NodeId>> named_;  // nodes by their names
  std::set<JobId> waiting_, active_;
  UsageTable usage_;
};

}  // namespace coxswain::coordinator::core
