#include "coordinator/core/tables/tables.h"

namespace coxswain::coordinator::core {

Tables::Tables(const Snapshot& snapshot) {
  Apply(snapshot.cluster);
  for (const NodeRow& row : snapshot.nodes) Apply(row);
  // Checkpoints before jobs: an ended job stays only while it has some to work on.
  for (const CheckpointRow& row : snapshot.checkpoints) {
    if (row.state != CheckpointState::kDeleted) checkpoints_.Apply(row);
  }
  for (const JobRow& row : snapshot.jobs) Apply(row);
  for (const AttemptRow& row : snapshot.attempts) Apply(row);
  for (const RankRow& row : snapshot.ranks) Apply(row);
  for (const GenerationRow& row : snapshot.generations) Apply(row);
  for (const UsageRow& row : snapshot.usage) Apply(row);
}

void Tables::Apply(const Change& change) {
  std::visit([this](const auto& row) { On(row); }, change);
}

void Tables::On(const JobRow& row) {
  jobs_.Apply(row);
  if (!IsFinal(row.state)) {
    RefreshWaiting(row.id);
    return;
  }
  waiting_.erase(row.id);
  active_.erase(row.id);
  attempts_.DropJob(row.id);
  ranks_.DropJob(row.id);
  DropEndedUnlessNeeded(row.id);
}

void Tables::On(const AttemptRow& row) {
  attempts_.Apply(row);
  ranks_.DropExited(row.job, row.number);
  RefreshWaiting(row.job);
}

void Tables::On(const RankRow& row) {
  ranks_.Apply(row);
  const AttemptRow* newest = attempts_.Newest(row.key.job);
  if (newest != nullptr) ranks_.DropExited(row.key.job, newest->number);
}

void Tables::On(const GenerationRow& row) { attempts_.Apply(row); }

void Tables::On(const CheckpointRow& row) {
  checkpoints_.Apply(row);
  if (row.state == CheckpointState::kDeleted) checkpoints_.Drop(row.id);
  if (jobs_.Find(row.job) == nullptr) DropEndedUnlessNeeded(row.job);
}

void Tables::On(const NodeRow& row) {
  Unname(row.id);
  nodes_[row.id] = row;
  named_[row.name].insert(row.id);
}

void Tables::On(const DeleteNode& gone) {
  Unname(gone.id);
  nodes_.erase(gone.id);
}

void Tables::Unname(const NodeId& node) {
  const NodeRow* row = FindNode(node);
  if (row == nullptr) return;
  auto named = named_.find(row->name);
  named->second.erase(node);
  if (named->second.empty()) named_.erase(named);
}

void Tables::On(const CheckpointDamaged& damaged) {
  const CheckpointRow* found = checkpoints_.Find(damaged.id);
  if (found == nullptr || !CanRestore(*found)) return;
  CheckpointRow row = *found;
  row.state = CheckpointState::kCorrupt;
  row.reason = damaged.reason;
  On(row);
}

void Tables::On(const DeleteJob& gone) {
  jobs_.Apply(gone);
  checkpoints_.DropJob(gone.job);
}

void Tables::RefreshWaiting(JobId job) {
  waiting_.erase(job);
  active_.erase(job);
  if (jobs_.Find(job) == nullptr) return;
  (attempts_.Active(job) == nullptr ? waiting_ : active_).insert(job);
}

void Tables::DropEndedUnlessNeeded(JobId job) {
  const JobRow* row = jobs_.FindEnded(job);
  if (row != nullptr && checkpoints_.HasStoreWork(job, row->request.keep_checkpoints)) return;
  checkpoints_.DropJob(job);
  jobs_.DropEnded(job);
}

const NodeRow* Tables::FindNode(const NodeId& node) const {
  auto found = nodes_.find(node);
  return found == nodes_.end() ? nullptr : &found->second;
}

const std::set<NodeId>& Tables::NodesNamed(const std::string& name) const {
  static const std::set<NodeId> kNone;
  auto found = named_.find(name);
  return found == named_.end() ? kNone : found->second;
}

Snapshot Tables::Rows() const {
  Snapshot rows;
  rows.cluster = cluster_;
  for (const auto& [id, row] : nodes_) rows.nodes.push_back(row);
  for (const auto& [key, row] : usage_) rows.usage.push_back(row);
  jobs_.AddTo(&rows);
  attempts_.AddTo(&rows);
  ranks_.AddTo(&rows);
  checkpoints_.AddTo(&rows);
  return rows;
}

uint64_t Tables::Digest() const {
  RowHash hash;
  hash.Add(cluster_).Add(nodes_).Add(waiting_).Add(usage_);
  jobs_.AddTo(hash);
  attempts_.AddTo(hash);
  ranks_.AddTo(hash);
  checkpoints_.AddTo(hash);
  return hash.value();
}

}  // namespace coxswain::coordinator::core
