// The durable state as rows in maps, with the same contract as store/state_store.h: what is
// committed comes back from Load, and nothing else.
#pragma once

#include <map>
#include <tuple>
#include <vector>

#include "coordinator/core/tables/tables.h"

namespace coxswain::fakes {

class FakeRowStore {
 public:
  explicit FakeRowStore(std::string cluster) { cluster_.id = base::ClusterId(std::move(cluster)); }

  void Commit(const std::vector<coordinator::core::Change>& changes);
  // As a start does it: with the term raised, durably.
  coordinator::core::Snapshot Load();

  const coordinator::core::ClusterRow& cluster() const { return cluster_; }
  const std::map<base::JobId, coordinator::core::JobRow>& jobs() const { return jobs_; }
  const std::map<protocol::RankKey, coordinator::core::RankRow>& ranks() const { return ranks_; }
  const std::map<base::CheckpointId, coordinator::core::CheckpointRow>& checkpoints() const {
    return checkpoints_;
  }
  const std::map<base::NodeId, coordinator::core::NodeRow>& nodes() const { return nodes_; }
  const std::map<base::EventSeq, coordinator::core::EventRow>& events() const { return events_; }
  const std::map<std::pair<base::JobId, base::Attempt>, coordinator::core::AttemptRow>& attempts()
      const {
    return attempts_;
  }

 private:
  void On(const coordinator::core::ClusterRow& row) { cluster_ = row; }
  void On(const coordinator::core::JobRow& row) { jobs_[row.id] = row; }
  void On(const coordinator::core::AttemptRow& row) { attempts_[{row.job, row.number}] = row; }
  void On(const coordinator::core::RankRow& row) { ranks_[row.key] = row; }
  void On(const coordinator::core::GenerationRow& row) {
    generations_[{row.job, row.generation}] = row;
  }
  void On(const coordinator::core::CheckpointRow& row) { checkpoints_[row.id] = row; }
  void On(const coordinator::core::NodeRow& row) { nodes_[row.id] = row; }
  void On(const coordinator::core::EventRow& row) { events_[row.seq] = row; }
  void On(const coordinator::core::CheckpointDamaged& damaged);
  void On(const coordinator::core::DeleteJob& gone);
  void On(const coordinator::core::DeleteEventsUpTo& gone);
  void On(const coordinator::core::DeleteNode& gone) { nodes_.erase(gone.id); }
  void On(const coordinator::core::UsageRow& row) { usage_[{row.queue, row.user}] = row; }
  void On(const coordinator::core::DeleteUsage& gone) { usage_.erase({gone.queue, gone.user}); }

  coordinator::core::ClusterRow cluster_;
  std::map<base::JobId, coordinator::core::JobRow> jobs_;
  std::map<std::pair<base::JobId, base::Attempt>, coordinator::core::AttemptRow> attempts_;
  std::map<protocol::RankKey, coordinator::core::RankRow> ranks_;
  std::map<std::pair<base::JobId, base::Generation>, coordinator::core::GenerationRow> generations_;
  std::map<base::CheckpointId, coordinator::core::CheckpointRow> checkpoints_;
  std::map<base::NodeId, coordinator::core::NodeRow> nodes_;
  std::map<base::EventSeq, coordinator::core::EventRow> events_;
  coordinator::core::UsageTable usage_;
};

}  // namespace coxswain::fakes
