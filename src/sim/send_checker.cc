#include "sim/send_checker.h"

#include "sim/world.h"

namespace coxswain::sim {

void SendChecker::Require(bool holds, const std::string& what) {
  if (!holds) world_.journal.Fail("seen outside before it was committed: " + what);
}

void SendChecker::Sent(const Rows& rows, const base::NodeId& node,
                       const protocol::WorkerOrder& order) {
  node_ = node;
  std::visit([&](const auto& body) { On(rows, body); }, order);
}

void SendChecker::Replied(const Rows& rows, const core::Reply& reply) {
  if (reply.code != core::ReplyCode::kOk || !reply.job) return;
  Require(rows.FindJob(reply.job) != nullptr, "the job " + base::ToString(reply.job));
}

void SendChecker::On(const Rows& rows, const protocol::Welcome& order) {
  Require(rows.cluster.term >= order.term, "the term " + std::to_string(order.term.value));
}

void SendChecker::On(const Rows& rows, const protocol::StartRank& order) {
  const core::RankRow* rank = rows.FindRank(order.key);
  Require(rank != nullptr && rank->incarnation == order.incarnation,
          "the start of a rank of " + base::ToString(order.key.job));
}

void SendChecker::On(const Rows& rows, const protocol::ToTrainer& order) {
  if (const auto* form = std::get_if<protocol::FormGeneration>(&order.order)) {
    Require(rows.generations.contains({order.key.job, form->generation}),
            "generation " + std::to_string(form->generation.value) + " of " +
                base::ToString(order.key.job));
  } else if (const auto* opened = std::get_if<protocol::CheckpointOpened>(&order.order)) {
    Require(rows.checkpoints.contains(opened->id), "the opening of " + base::ToString(opened->id));
  } else if (const auto* committed = std::get_if<protocol::CheckpointCommitted>(&order.order)) {
    auto row = rows.checkpoints.find(committed->id);
    Require(row != rows.checkpoints.end() && row->second.committed,
            "the commit of " + base::ToString(committed->id));
  }
}

void SendChecker::On(const Rows& rows, const protocol::AcknowledgeExit& order) {
  const core::RankRow* rank = rows.FindRank(order.key);
  bool same = rank != nullptr && rank->incarnation == order.incarnation && rank->node == node_;
  if (!same) return;  // nobody wants that process
  Require(rank->exit.has_value(), "the end of a rank of " + base::ToString(order.key.job));
}

void SendChecker::On(const Rows& rows, const protocol::ForgetJob& order) {
  const core::JobRow* job = rows.FindJob(order.job);
  Require(job == nullptr || core::IsFinal(job->state), "the end of " + base::ToString(order.job));
}

}  // namespace coxswain::sim
