// The ranks of each live job's newest attempt, and every rank that has not exited: who holds which
// slot.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "coordinator/core/row_hash.h"

namespace coxswain::coordinator::core {

class RankTable {
 public:
  void Apply(const RankRow& row);
  void DropExited(JobId job, Attempt before);  // of older attempts
  void DropJob(JobId job);

  const RankRow* Find(const protocol::RankKey& key) const;
  // Of one attempt, ascending. Copies of the keys, so that rows may change meanwhile.
  std::vector<protocol::RankKey> Keys(JobId job, Attempt attempt) const;
  std::vector<const RankRow*> Of(JobId job, Attempt attempt) const;
  // Ranks that have not exited.
  const std::set<protocol::RankKey>& OnNode(const NodeId& node) const;
  const std::map<NodeId, std::set<protocol::RankKey>>& by_node() const { return by_node_; }
  void AddTo(RowHash& hash) const { hash.Add(ranks_); }
  void AddTo(Snapshot* rows) const;

 private:
  std::map<protocol::RankKey, RankRow> ranks_;
  std::map<NodeId, std::set<protocol::RankKey>> by_node_;
};

}  // namespace coxswain::coordinator::core
