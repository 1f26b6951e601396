#include "coordinator/core/handlers/drain_handler.h"

#include <algorithm>

#include "common/base/duration_text.h"
#include "coordinator/core/handlers/attempt_handler.h"
#include "coordinator/core/handlers/capacity.h"
#include "coordinator/core/handlers/node_handler.h"
#include "coordinator/core/handlers/retry_verdict.h"
#include "coordinator/core/handlers/share_handler.h"
#include "coordinator/core/handlers/store_look_handler.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

// "j1 (train) can run on a only: ...", of each job that runs there or waits for the node.
std::map<JobId, std::string> WhoIsTied(const Turn& turn, const NodeId& node) {
  std::map<JobId, std::string> texts;
  std::set<JobId> jobs = JobsOn(turn, node);
  jobs.insert(turn.tables.waiting().begin(), turn.tables.waiting().end());
  for (JobId id : jobs) {
    const JobRow* row = turn.tables.jobs().Find(id);
    if (row == nullptr) continue;
    std::string why = WhyTied(turn, *row, node);
    if (why.empty()) continue;
    const bool runs = turn.tables.attempts().Active(id) != nullptr;
    texts[id] = JobText(*row) + " can run on " + turn.NodeName(node) + " only: " + why +
                (runs ? "; once it has let go, it waits for " : "; it waits for ") +
                turn.NodeName(node) + ", unless another node is found to see them";
  }
  return texts;
}

// "j1 (train) has saved nothing so far: ...", of each program that will have to let go.
std::map<JobId, std::string> WhoLosesAll(const Turn& turn, const NodeId& node) {
  std::map<JobId, std::string> texts;
  if (!turn.tables.FindNode(node)->drain_by) return texts;
  for (JobId id : JobsOn(turn, node)) {
    const JobRow* row = turn.tables.jobs().Find(id);
    if (row == nullptr || !HasSavedNothing(turn, *row)) continue;
    texts[id] = JobText(*row) + " has saved nothing so far: unless it saves before it lets go, " +
                WhereItBegins(*row);
  }
  return texts;
}

// "j1 (train) may take 30 s to save, and has 5 s: what is not saved by then is lost".
std::map<JobId, std::string> WhoIsCutShort(const Turn& turn, const NodeId& node) {
  std::map<JobId, std::string> texts;
  const NodeRow& row = *turn.tables.FindNode(node);
  if (!row.drain_by) return texts;
  const Duration left = std::max(Duration(0), row.drain_by - turn.wall);
  for (JobId id : JobsOn(turn, node)) {
    const JobRow* job = turn.tables.jobs().Find(id);
    if (job == nullptr || left >= JobGrace(turn, *job)) continue;
    texts[id] = JobText(*job) + " may take " + base::DurationText(JobGrace(turn, *job)) +
                " to save, and has " + base::DurationText(left) +
                ": what is not saved by then is lost";
  }
  return texts;
}

std::map<JobId, std::string> Warnings(const Turn& turn, const NodeId& node) {
  std::map<JobId, std::string> texts = WhoIsTied(turn, node);
  texts.merge(WhoLosesAll(turn, node));    // no job is of both kinds, but with --resume-from
  texts.merge(WhoIsCutShort(turn, node));  // of one that is told more already, that will do
  return texts;
}

// Other nodes are asked in time, before the jobs have to go.
void AskOthers(Turn& turn, const NodeId& node) {
  RefreshCapacity(turn);
  for (JobId id : JobsOn(turn, node)) {
    const JobRow* row = turn.tables.jobs().Find(id);
    if (row == nullptr || !row->request.local_store) continue;
    LookElsewhere(turn, *row, Needs(turn, id, row->request, HolderOf(turn, *row)));
  }
}

// Said when the deadline comes, and again by each life of the coordinator that finds it passed.
void NoteLate(Turn& turn, const NodeRow& row, const std::set<JobId>& left) {
  const std::string was = turn.NodeName(row.id) + " was to be empty by " + ClockTime(row.drain_by);
  std::string all;
  for (JobId job : left) {
    const std::string& reason = turn.soft.jobs[job].reason;
    turn.Note("NodeDrainLate",
              was + " and still has ranks of it" + (reason.empty() ? "" : ": " + reason),
              {.job = job, .node = row.id}, "warning");
    all += (all.empty() ? "" : ", ") + base::ToString(job);
  }
  turn.Note("NodeDrainLate", was + " and still has ranks of " + all, {.job = {}, .node = row.id},
            "warning");
  turn.TouchNode(row.id);
}

}  // namespace

void Handle(Turn& turn, const DrainRequested& event) {
  const NodeRow* row = FindNode(turn, event.node);
  if (row == nullptr) return ReplyUnknown(turn, event.call, event.node);
  NodeId id = row->id;
  bool same = row->draining && row->drain_reason == event.reason && row->drain_by == event.by;
  if (event.undo ? row->draining : !same) {
    turn.EditRow(*row, [&](NodeRow& changed) {
      changed.draining = !event.undo;
      changed.cordoned = false;
      changed.drain_reason = event.undo ? "" : event.reason;
      changed.drain_by = event.undo ? WallTime() : event.by;
    });
    std::string name = turn.NodeName(id);
    turn.Note(event.undo ? "NodeDrainEnded" : "NodeDraining",
              event.undo ? name + " takes work again"
                         : name + " takes no new work" +
                               (event.reason.empty() ? "" : ": " + event.reason) +
                               (event.by ? "; its jobs let go before " + ClockTime(event.by) : ""),
              {.job = {}, .node = id});
    turn.soft.drain_timers.Cancel(id);
    turn.TouchNode(id);
    for (JobId job : JobsOn(turn, id)) turn.TouchJob(job);
    if (!event.undo) {
      for (const auto& [job, text] : Warnings(turn, id)) {
        turn.Note("NodeDraining", text, {.job = job, .node = id}, "warning");
      }
      AskOthers(turn, id);
      WatchDrain(turn, id);
    }
    turn.soft.placement_due = true;
    NoteIfDrained(turn, id);
  }
  Reply reply{.call = event.call, .text = "", .job = {}, .node = id};
  for (auto& [job, text] : event.undo ? std::map<JobId, std::string>() : Warnings(turn, id)) {
    reply.warnings.push_back(text);
  }
  auto soft = turn.soft.nodes.find(id);
  const bool away = soft == turn.soft.nodes.end() || !soft->second.reachable;
  if (away && !event.undo && turn.tables.FindNode(id)->drain_by && !JobsOn(turn, id).empty()) {
    reply.warnings.push_back(turn.NodeName(id) +
                             " is unreachable: what runs there is told only when it is back");
  }
  turn.Reply(std::move(reply));
}

void WatchDrain(Turn& turn, const NodeId& id) {
  const NodeRow* row = turn.tables.FindNode(id);
  if (row == nullptr || !row->draining || !row->drain_by) return;
  Time deadline = turn.now + (row->drain_by - turn.wall);
  for (JobId job : JobsOn(turn, id)) {
    const AttemptRow* attempt = turn.tables.attempts().Active(job);
    if (attempt == nullptr || attempt->cause != Cause::kNone) continue;
    const JobRow& of_job = turn.tables.jobs().Get(job);
    // As late as can be: what ends before then loses nothing at all.
    Time latest = deadline - JobGrace(turn, of_job) - turn.deadlines().lease;
    if (latest > turn.now) {
      turn.soft.drain_timers.Wake(id, latest);
    } else {
      Preempt(turn, job,
              turn.NodeName(id) + " has to be empty by " + ClockTime(row->drain_by) +
                  (row->drain_reason.empty() ? "" : ": " + row->drain_reason));
      // A deadline nearer than its grace cuts that short.
      auto soft = turn.soft.jobs.find(job);
      if (soft == turn.soft.jobs.end() || !soft->second.stop_at) continue;
      Time last = std::max(turn.now, deadline - turn.deadlines().lease * 2);
      if (last >= *soft->second.stop_at) continue;
      soft->second.stop_at = last;
      turn.WakeJob(job, last);
    }
  }
  const std::set<JobId> left = JobsOn(turn, id);
  if (left.empty()) return;
  if (deadline > turn.now) return turn.soft.drain_timers.Wake(id, deadline);
  NoteLate(turn, *turn.tables.FindNode(id), left);
}

void NoteIfDrained(Turn& turn, const NodeId& node) {
  const NodeRow* row = turn.tables.FindNode(node);
  if (row == nullptr || !row->draining || !turn.tables.ranks().OnNode(node).empty()) return;
  turn.Note("NodeDrained", turn.NodeName(node) + " runs nothing any more",
            {.job = {}, .node = node});
}

}  // namespace coxswain::coordinator::core
