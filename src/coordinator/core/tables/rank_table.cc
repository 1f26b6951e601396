#include "coordinator/core/tables/rank_table.h"

#include <limits>

#include "common/base/check.h"

namespace coxswain::coordinator::core {

void RankTable::Apply(const RankRow& row) {
  ranks_[row.key] = row;
  if (!row.exit) {
    by_node_[row.node].insert(row.key);
    return;
  }
  auto node = by_node_.find(row.node);
  if (node == by_node_.end()) return;
  node->second.erase(row.key);
  if (node->second.empty()) by_node_.erase(node);
}

void RankTable::DropExited(JobId job, Attempt before) {
  auto rank = ranks_.lower_bound({job, Attempt(0), 0});
  while (rank != ranks_.end() && rank->first.job == job && rank->first.attempt < before) {
    rank = rank->second.exit ? ranks_.erase(rank) : std::next(rank);
  }
}

void RankTable::DropJob(JobId job) {
  auto first = ranks_.lower_bound({job, Attempt(0), 0});
  auto last = first;
  for (; last != ranks_.end() && last->first.job == job; ++last) {
    CHECK(last->second.exit) << base::ToString(job) << " ended, rank " << last->first.rank
                             << " has not";
  }
  ranks_.erase(first, last);
}

const RankRow* RankTable::Find(const protocol::RankKey& key) const {
  auto found = ranks_.find(key);
  return found == ranks_.end() ? nullptr : &found->second;
}

std::vector<protocol::RankKey> RankTable::Keys(JobId job, Attempt attempt) const {
  std::vector<protocol::RankKey> keys;
  for (const RankRow* row : Of(job, attempt)) keys.push_back(row->key);
  return keys;
}

std::vector<const RankRow*> RankTable::Of(JobId job, Attempt attempt) const {
  std::vector<const RankRow*> rows;
  for (auto rank = ranks_.lower_bound({job, attempt, 0});
       rank != ranks_.end() && rank->first.job == job && rank->first.attempt == attempt; ++rank) {
    rows.push_back(&rank->second);
  }
  return rows;
}

const std::set<protocol::RankKey>& RankTable::OnNode(const NodeId& node) const {
  static const std::set<protocol::RankKey> kNone;
  auto found = by_node_.find(node);
  return found == by_node_.end() ? kNone : found->second;
}

void RankTable::AddTo(Snapshot* rows) const {
  for (const auto& [key, row] : ranks_) rows->ranks.push_back(row);
}

}  // namespace coxswain::coordinator::core
