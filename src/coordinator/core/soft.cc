#include "coordinator/core/soft.h"

namespace coxswain::coordinator::core {
namespace {

void AddRank(RowHash& hash, const RankSoft& rank) {
  hash.Add(rank.ready)
      .Add(rank.formed)
      .Add(rank.left_group)
      .Add(rank.step)
      .Add(rank.phase)
      .Add(rank.waiting_for)
      .Add(rank.at_once)
      .Add(rank.away)
      .Add(rank.next_start)
      .Add(rank.next_form)
      .Add(rank.heard)
      .Add(rank.silent_from);
}

void AddJob(RowHash& hash, const JobSoft& job) {
  hash.Add(job.reason)
      .Add(job.nodes)
      .Add(job.shuns)
      .Add(job.check)
      .Add(job.check_note)
      .Add(job.not_before)
      .Add(job.outlook.start)
      .Add(job.outlook.next)
      .Add(job.outlook.next_at)
      .Add(job.outlook.ahead)
      .Add(job.outlook.kept_for)
      .Add(job.outlook.kept_on)
      .Add(job.waiting_since)
      .Add(job.back_off_reason)
      .Add(job.store_proven)
      .Add(job.store_place)
      .Add(job.store_unseen)
      .Add(job.look_after)
      .Add(job.attempt_started)
      .Add(job.ready_from)
      .Add(job.forming.tries)
      .Add(job.forming.deadline)
      .Add(job.forming.batch)
      .Add(job.forming.keeps_batch)
      .Add(job.saves_last)
      .Add(job.reform_at)
      .Add(job.stop_at)
      .Add(job.stop_again_at)
      .Add(job.progress_at)
      .Add(job.best_step)
      .Add(job.formed.has_value())
      .Add(job.progress)
      .Add(job.progress_rank)
      .Add(job.progress_wall)
      .Add(job.progress_heard)
      .Add(job.shards)
      .Add(job.resizing.to)
      .Add(job.resizing.vain)
      .Add(job.resizing.lost_steps)
      .Add(job.resizing.let_go)
      .Add(job.resizing.why)
      .Add(job.speed)
      .Add(job.told.refused_step)
      .Add(job.told.waiting.since)
      .Add(job.told.waiting.over)
      .Add(job.told.waiting.what)
      .Add(job.told.at_once);
  for (const auto& [rank, soft] : job.ranks) {
    hash.Add(rank);
    AddRank(hash, soft);
  }
}

void AddNode(RowHash& hash, const NodeSoft& node) {
  hash.Add(node.session)
      .Add(node.incarnation)
      .Add(node.reachable)
      .Add(node.lost)
      .Add(node.left)
      .Add(node.lease_until)
      .Add(node.unreachable_since)
      .Add(node.unreachable_wall)
      .Add(node.lost_wall)
      .Add(node.heard)
      .Add(node.connected)
      .Add(node.last_heartbeat)
      .Add(node.leftovers)
      .Add(node.tasks)
      .Add(node.refused)
      .Add(node.blamed.size())
      .Add(node.refused_at);
}

}  // namespace

void JobSoft::ForgetAttempt() {
  JobSoft fresh;
  fresh.reason = std::move(reason);
  fresh.nodes = std::move(nodes);
  fresh.shuns = std::move(shuns);
  fresh.store_place = std::move(store_place);
  fresh.told.at_once = told.at_once;
  fresh.resizing.vain = resizing.vain;
  fresh.resizing.lost_steps = resizing.lost_steps;
  *this = std::move(fresh);
}

void Soft::AddTo(RowHash& hash) const {
  hash.Add(sessions)
      .Add(forgotten)
      .Add(submission_keys)
      .Add(store_work)
      .Add(store_due)
      .Add(held)
      .Add(elastic)
      .Add(placement_due)
      .Add(plan.not_before)
      .Add(plan.tell_all_at)
      .Add(plan.owes)
      .Add(replan_at)
      .Add(late)
      .Add(run_times);
  for (const auto& [id, node] : nodes) {
    hash.Add(id);
    AddNode(hash, node);
  }
  for (const auto& [id, job] : jobs) {
    hash.Add(id);
    AddJob(hash, job);
  }
  for (const auto& [id, task] : tasks) {
    hash.Add(id)
        .Add(task.kind)
        .Add(task.node)
        .Add(task.job)
        .Add(task.checkpoints)
        .Add(task.deadline);
    if (task.proof) {
      const StoreProof& proof = *task.proof;
      hash.Add(proof.mark).Add(proof.machines).Add(proof.at).Add(proof.checkpoint);
    }
  }
  for (const auto& [id, waiting] : submissions) hash.Add(id).Add(waiting.calls);
  for (const auto& [key, ended] : ended_keys) hash.Add(key).Add(ended.job);
}

}  // namespace coxswain::coordinator::core
