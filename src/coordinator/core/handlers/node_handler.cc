#include "coordinator/core/handlers/node_handler.h"

#include <utility>

#include "common/base/duration_text.h"
#include "coordinator/core/handlers/attempt_handler.h"
#include "coordinator/core/handlers/placement_handler.h"
#include "coordinator/core/handlers/shared_store_handler.h"
#include "coordinator/core/handlers/store_look_handler.h"
#include "coordinator/core/handlers/time_handler.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

bool HasReachableRanks(const Turn& turn, JobId job) {
  const AttemptRow* attempt = turn.tables.attempts().Active(job);
  if (attempt == nullptr) return false;
  for (const RankRow* rank : turn.tables.ranks().Of(job, attempt->number)) {
    auto node = turn.soft.nodes.find(rank->node);
    if (!rank->exit && node != turn.soft.nodes.end() && node->second.reachable) return true;
  }
  return false;
}

// Of a job with ranks on a node that is away.
std::string WhatFollows(const Turn& turn, JobId job, const NodeId& node) {
  if (HasReachableRanks(turn, job)) {
    return "the job is left alone while its other ranks make progress";
  }
  const std::string unless =
      "if it is not back within " + base::DurationText(turn.deadlines().NodeLostAfter());
  const JobRow& row = turn.tables.jobs().Get(job);
  const bool tied = HolderOf(turn, row) && !WhyTied(turn, row, node).empty();
  if (!tied) return unless + ", the job starts elsewhere as soon as there is room";
  return unless + ", others are asked whether they see its checkpoints (" + row.request.store +
         "); if none does, the job waits for " + turn.NodeName(node);
}

std::string AwayText(const Turn& turn, const NodeId& node) {
  return base::DurationText(turn.now - turn.soft.nodes[node].unreachable_since);
}

void EndLostRanks(Turn& turn, const AttemptRow& attempt) {
  JobId job = attempt.job;
  for (const protocol::RankKey& key : turn.tables.ranks().Keys(job, attempt.number)) {
    const RankRow* rank = turn.tables.ranks().Find(key);
    if (rank == nullptr) return;  // the job has ended meanwhile
    if (rank->exit || !turn.soft.nodes[rank->node].lost) continue;
    protocol::ExitRecord record;
    record.code = protocol::kExitInfrastructure;
    record.ended = turn.wall;
    record.note =
        std::string(kLost) + ": its node was unreachable for " + AwayText(turn, rank->node);
    EndRank(turn, key, record);
  }
}

// It is being stopped: nobody waits for ranks that cannot be told.
void EndLost(Turn& turn, JobId job) {
  turn.soft.held.erase(job);
  const AttemptRow* attempt = turn.tables.attempts().Active(job);
  if (attempt != nullptr) EndLostRanks(turn, *attempt);
  // There is a place for it now: in a pause it would go to another job.
  bool ended = turn.tables.attempts().Active(job) == nullptr;
  if (auto soft = turn.soft.jobs.find(job); ended && soft != turn.soft.jobs.end()) {
    soft->second.not_before.reset();
  }
}

// A job's ranks on nodes that count as lost.
struct LostRanks {
  std::set<NodeId> nodes;
  bool others = false;  // some of its ranks can be reached
};

LostRanks LostRanksOf(const Turn& turn, const AttemptRow& attempt) {
  LostRanks lost;
  for (const RankRow* rank : turn.tables.ranks().Of(attempt.job, attempt.number)) {
    if (rank->exit) continue;
    const NodeSoft& node = turn.soft.nodes[rank->node];
    if (node.lost) lost.nodes.insert(rank->node);
    lost.others |= !node.lost && node.reachable;
  }
  return lost;
}

// Its ranks could not report since then: that time does not count for getting ready, and whether
// they make progress is yet to be heard.
void StopClocks(Turn& turn, const NodeId& id, Time since) {
  for (const protocol::RankKey& key : turn.tables.ranks().OnNode(id)) {
    const RankRow& rank = *turn.tables.ranks().Find(key);
    auto soft = turn.soft.jobs.find(key.job);
    if (soft == turn.soft.jobs.end()) continue;
    soft->second.progress_at = turn.now;
    if (!IsAwaited(rank, soft->second.ranks[key.rank])) continue;
    soft->second.ranks[key.rank].away += turn.now - std::max(since, soft->second.ready_from);
  }
}

// What follows on nodes of it that are away depends on whether its other ranks can be reached.
void TouchAway(Turn& turn, JobId job) {
  const AttemptRow* attempt = turn.tables.attempts().Active(job);
  if (attempt == nullptr) return;
  for (const RankRow* rank : turn.tables.ranks().Of(job, attempt->number)) {
    if (!turn.soft.nodes[rank->node].reachable) turn.TouchNode(rank->node);
  }
}

void Release(Turn& turn, const AttemptRow& attempt, const std::string& why) {
  auto held = turn.soft.held.find(attempt.job);
  if (held == turn.soft.held.end()) return;
  const bool told = held->second;
  turn.soft.held.erase(held);
  if (!told || attempt.cause != Cause::kNone) return;
  turn.Note("JobReleased", why, {.job = attempt.job, .attempt = attempt.number});
  turn.Explain(attempt.job, "");
}

// One line; empty: it may be forgotten.
std::string WhyNotForgotten(const Turn& turn, const NodeId& id) {
  std::string name = turn.NodeName(id);
  auto node = turn.soft.nodes.find(id);
  if (node != turn.soft.nodes.end() && (node->second.session || node->second.reachable)) {
    return "node " + name + " is connected: stop its worker, then forget it " +
           base::DurationText(turn.deadlines().lease) + " later";
  }
  std::string jobs;
  for (JobId job : JobsOn(turn, id)) jobs += (jobs.empty() ? "" : ", ") + base::ToString(job);
  if (jobs.empty()) return "";
  return "node " + name + " may still run ranks of " + jobs +
         ": cancel what waits for it (cox cancel), or start its worker again";
}

}  // namespace

std::set<JobId> JobsOn(const Turn& turn, const NodeId& node) {
  std::set<JobId> jobs;
  for (const protocol::RankKey& key : turn.tables.ranks().OnNode(node)) jobs.insert(key.job);
  return jobs;
}

const NodeRow* FindNode(const Turn& turn, const NodeId& id) {
  if (const NodeRow* row = turn.tables.FindNode(id)) return row;
  for (const auto& [other, row] : turn.tables.nodes()) {
    if (row.name == id.value) return &row;
  }
  return nullptr;
}

void ReplyUnknown(Turn& turn, CallId call, const NodeId& node) {
  turn.Reply({.call = call,
              .code = ReplyCode::kNotFound,
              .text = "there is no node '" + node.value + "' (cox nodes lists them)",
              .job = {},
              .node = {}});
}

void Handle(Turn& turn, const ForgetRequested& event) {
  const NodeRow* row = FindNode(turn, event.node);
  if (row == nullptr) return ReplyUnknown(turn, event.call, event.node);
  const NodeId id = row->id;
  if (std::string why = WhyNotForgotten(turn, id); !why.empty()) {
    return turn.Reply({.call = event.call,
                       .code = ReplyCode::kFailedPrecondition,
                       .text = why,
                       .job = {},
                       .node = id});
  }
  turn.Note("NodeForgotten",
            turn.NodeName(id) + " (" + id.value +
                ") is gone from the lists; should its worker connect again, it is back",
            {.job = {}, .node = id});
  turn.Persist(DeleteNode{id});
  if (auto node = turn.soft.nodes.find(id); node != turn.soft.nodes.end()) {
    if (node->second.connected) turn.soft.forgotten.insert(id);
    turn.soft.nodes.erase(node);
  }
  turn.soft.node_timers.Cancel(id);
  turn.TouchNode(id);
  turn.soft.task_places.largest_memory.reset();
  turn.soft.placement_due = true;
  turn.Reply({.call = event.call, .text = "", .job = {}, .node = id});
}

void RenewLease(Turn& turn, const NodeId& id, bool is_new) {
  NodeSoft& node = turn.soft.nodes[id];
  node.heard = turn.now;
  node.last_heartbeat = turn.wall;
  node.lease_until = turn.now + turn.deadlines().lease;
  if (node.reachable) {
    turn.soft.heard_nodes.insert(id);
    return;
  }
  node.reachable = true;
  node.lost = false;
  turn.TouchNode(id);
  turn.soft.placement_due = true;
  turn.soft.node_timers.Cancel(id);
  turn.soft.node_timers.Wake(id, node.lease_until);
  for (JobId job : JobsOn(turn, id)) {
    turn.TouchJob(job);
    TouchAway(turn, job);
    // What it waited for there (a start to be repeated, a rank to be ready) has no timer meanwhile.
    turn.WakeJob(job, turn.now + turn.deadlines().Repeat());
  }
  if (node.unreachable_since.us != 0) StopClocks(turn, id, node.unreachable_since);
  Duration away = turn.now - node.unreachable_since;
  bool back = node.unreachable_since.us != 0 && !is_new && away >= turn.deadlines().Heartbeat();
  turn.Note(
      "NodeReady",
      turn.NodeName(id) + (back ? " is back after " + base::DurationText(away) : " has connected"),
      {.job = {}, .node = id});
}

void LoseContact(Turn& turn, const NodeId& id, const std::string& why) {
  NodeSoft& node = turn.soft.nodes[id];
  if (!node.reachable) return;
  node.reachable = false;
  node.unreachable_since = turn.now;
  node.unreachable_wall = turn.wall;
  node.lost_wall = turn.wall + turn.deadlines().NodeLostAfter();
  turn.TouchNode(id);
  turn.soft.placement_due = true;
  turn.soft.node_timers.Cancel(id);
  turn.soft.node_timers.Wake(id, turn.now + turn.deadlines().NodeLostAfter());
  std::set<JobId> jobs = JobsOn(turn, id);
  std::string text = turn.NodeName(id) + " is unreachable: " + why;
  turn.Note("NodeUnreachable", text, {.job = {}, .node = id}, "warning");
  for (JobId job : jobs) {
    turn.TouchJob(job);
    TouchAway(turn, job);
    turn.Note("NodeUnreachable", text + "; " + WhatFollows(turn, job, id), {.job = job, .node = id},
              "warning");
  }
}

void TickNode(Turn& turn, const NodeId& id) {
  NodeSoft& node = turn.soft.nodes[id];
  if (node.reachable) {
    if (node.lease_until > turn.now) {
      turn.soft.node_timers.Wake(id, node.lease_until);
      return;
    }
    LoseContact(turn, id,
                "nothing was heard of it for " + base::DurationText(turn.now - node.heard));
    return;
  }
  if (node.lost) return;
  Time lost_at = node.unreachable_since + turn.deadlines().NodeLostAfter();
  if (lost_at > turn.now) {
    turn.soft.node_timers.Wake(id, lost_at);
    return;
  }
  node.lost = true;
  turn.TouchNode(id);
  for (JobId job : JobsOn(turn, id)) TickJob(turn, job);
}

void LengthenLeases(Turn& turn, Duration by) {
  constexpr int kGrain = 64;
  turn.soft.late += std::max(Duration{0}, by);
  if (turn.soft.late < turn.deadlines().lease / kGrain) return;
  by = std::exchange(turn.soft.late, Duration{0});
  for (auto& [id, node] : turn.soft.nodes) {
    node.lease_until = node.lease_until + by;
    if (node.reachable) continue;
    node.unreachable_since = node.unreachable_since + by;
    if (node.lost_wall) node.lost_wall = node.lost_wall + by;
  }
}

void AwaitNodes(Turn& turn) {
  for (const auto& [id, keys] : turn.tables.ranks().by_node()) {
    NodeSoft& node = turn.soft.nodes[id];
    node.unreachable_since = turn.now;
    node.lost_wall = turn.wall + turn.deadlines().NodeLostAfter();
    turn.soft.node_timers.Wake(id, turn.now + turn.deadlines().NodeLostAfter());
  }
}

std::optional<Time> JudgeLostNodes(Turn& turn, const AttemptRow& attempt) {
  LostRanks lost = LostRanksOf(turn, attempt);
  if (lost.nodes.empty()) {
    Release(turn, attempt, "its nodes are back; its ranks go on");
    return std::nullopt;
  }
  JobId job = attempt.job;
  if (attempt.cause == Cause::kNone) {
    Time stalled_at = turn.soft.jobs[job].progress_at + turn.deadlines().NodeLostAfter();
    if (lost.others && stalled_at > turn.now) {
      Release(turn, attempt, "other ranks of it can be reached; it goes on if they make progress");
      return stalled_at;
    }
    if (turn.soft.held.insert({job, false}).second) turn.soft.placement_due = true;
    return std::nullopt;
  }
  EndLost(turn, job);
  return std::nullopt;
}

void JudgeHeldJobs(Turn& turn) {
  for (const auto& [job, told] : std::map(turn.soft.held)) {
    if (turn.tables.attempts().Active(job) == nullptr) {
      turn.soft.held.erase(job);
    } else {
      TickJob(turn, job);
    }
  }
}

void GiveUpLost(Turn& turn, JobId job) {
  const AttemptRow& attempt = *turn.tables.attempts().Active(job);
  const LostRanks lost = LostRanksOf(turn, attempt);
  FailAttempt(turn, job,
              {.reason = "node " + turn.NodeNames(lost.nodes) + " unreachable for " +
                         AwayText(turn, *lost.nodes.begin()) +
                         (lost.others ? " and no progress of the other ranks" : ""),
               .kind = protocol::FailureKind::kLostNode});
  EndLost(turn, job);
}

// Its ranks may well be training.
void HoldLost(Turn& turn, JobId job, const std::string& why, bool tied) {
  const AttemptRow& attempt = *turn.tables.attempts().Active(job);
  const LostRanks lost = LostRanksOf(turn, attempt);
  const NodeId& first = *lost.nodes.begin();
  const NodeSoft& node = turn.soft.nodes[first];
  // The time that lists and the event tell; that of the other clock may be off by leases that were
  // lengthened, or count from our own start.
  const WallTime since = node.unreachable_wall ? node.unreachable_wall
                                               : turn.wall + -(turn.now - node.unreachable_since);
  std::string names = turn.NodeNames(lost.nodes);
  std::string text = "node " + names + " unreachable since " + ClockTime(since) +
                     "; no other place for it (" + why + "): waiting for " + names +
                     (tied ? "" : ", or for room elsewhere");
  const bool told = turn.soft.held[job];
  auto look = turn.soft.tasks.find(turn.soft.jobs[job].check);
  if (look != turn.soft.tasks.end() && !told) {
    // What is not known of other nodes may be known in a moment.
    return turn.Explain(job, text + "; " + turn.NodeName(look->second.node) +
                                 " is being asked whether it sees its checkpoints");
  }
  turn.Explain(job, text);
  if (std::exchange(turn.soft.held[job], true)) return;
  turn.Note("JobHeld", text, {.job = job, .node = first, .attempt = attempt.number}, "warning");
}

}  // namespace coxswain::coordinator::core
