// The coordinator's store: rows that were committed, and nothing else. Load gives what
// coordinator/store gives: see StateStore::Load there.
#pragma once

#include <functional>
#include <map>

#include "coordinator/core/tables/tables.h"
#include "sim/options.h"

namespace coxswain::sim {

namespace core = coordinator::core;

// One state of the store; copied for backups.
struct Rows {
  core::ClusterRow cluster;
  std::map<base::JobId, core::JobRow> jobs;
  std::map<std::pair<base::JobId, base::Attempt>, core::AttemptRow> attempts;
  std::map<protocol::RankKey, core::RankRow> ranks;
  std::map<std::pair<base::JobId, base::Generation>, core::GenerationRow> generations;
  std::map<base::CheckpointId, core::CheckpointRow> checkpoints;
  std::map<base::NodeId, core::NodeRow> nodes;
  core::UsageTable usage;
  base::EventSeq last_event;

  void Apply(const core::Change& change);
  core::Snapshot Load() const;

  // Highest generation of the job that has a row; null: none.
  const core::GenerationRow* NewestGeneration(base::JobId job) const;
  const core::RankRow* FindRank(const protocol::RankKey& key) const;
  const core::JobRow* FindJob(base::JobId job) const;
  // Finished jobs that the store need not keep any longer, oldest first.
  std::vector<base::JobId> FindExpired(const Retention& limits, base::WallTime now) const;
  // Newest of a key; null: none.
  const core::JobRow* FindKey(const std::string& idempotency_key) const;
};

}  // namespace coxswain::sim
