#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

Turn::Turn(const Settings& s, Tables* t, Soft* state, Time at, WallTime wall_at, uint64_t entropy)
    : settings(s),
      tables(*t),
      soft(*state),
      now(at),
      wall(wall_at),
      mutable_tables_(t),
      rng_(entropy),
      cluster_(t->cluster()) {}

void Turn::Persist(Change change) {
  mutable_tables_->Apply(change);
  out_.persist.push_back(std::move(change));
}

void Turn::Order(const NodeId& node, protocol::WorkerOrder order) {
  auto found = soft.nodes.find(node);
  if (found == soft.nodes.end() || !found->second.session) return;
  OrderSession(found->second.session, std::move(order));
}

void Turn::OrderSession(SessionId session, protocol::WorkerOrder order, bool close) {
  out_.send.push_back({session, std::move(order), close});
}

void Turn::OrderRank(const RankRow& rank, protocol::TrainerOrder order) {
  Order(rank.node, protocol::ToTrainer{rank.key, rank.incarnation, std::move(order)});
}

void Turn::Note(std::string kind, std::string text, const NoteAbout& about, std::string severity) {
  cluster_.last_event = cluster_.last_event.Next();
  Persist(EventRow{cluster_.last_event, wall, about.job, about.node, std::move(kind),
                   std::move(text), std::move(severity), about.attempt, about.generation});
}

void Turn::Explain(JobId job, std::string reason) {
  JobSoft& of_job = soft.jobs[job];
  if (of_job.reason == reason) return;
  of_job.reason = reason;
  out_.why.push_back({job, std::move(reason)});
  TouchJob(job);
}

void Turn::TouchNode(const NodeId& node) {
  soft.changed_nodes.insert(node);
  soft.stale_capacity.insert(node);
  soft.task_places.stale.insert(node);
}

Incarnation Turn::NewIncarnation() {
  uint64_t bits = rng_.Next();
  return Incarnation(bits == 0 ? 1 : bits);
}

std::string Turn::NodeName(const NodeId& node) const {
  const NodeRow* row = tables.FindNode(node);
  return row == nullptr || row->name.empty() ? node.value : row->name;
}

std::string Turn::NodeNames(const std::set<NodeId>& nodes) const {
  std::string out;
  for (const NodeId& id : nodes) out += (out.empty() ? "" : ", ") + NodeName(id);
  return out;
}

Decisions Turn::Finish() {
  if (!(cluster_ == tables.cluster())) Persist(cluster_);
  return std::move(out_);
}

}  // namespace coxswain::coordinator::core
