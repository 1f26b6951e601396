#include "coordinator/core/handlers/time_handler.h"

#include <algorithm>

#include "common/base/duration_text.h"
#include "coordinator/core/handlers/attempt_handler.h"
#include "coordinator/core/handlers/drain_handler.h"
#include "coordinator/core/handlers/generation_handler.h"
#include "coordinator/core/handlers/job_end_handler.h"
#include "coordinator/core/handlers/node_handler.h"
#include "coordinator/core/handlers/share_handler.h"
#include "coordinator/core/handlers/shared_store_handler.h"
#include "coordinator/core/handlers/store_work_handler.h"
#include "coordinator/core/handlers/task_handler.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

// The earliest of several, if any.
class Earliest {
 public:
  void Take(std::optional<Time> at) {
    if (at && (!at_ || *at < *at_)) at_ = at;
  }
  std::optional<Time> at() const { return at_; }

 private:
  std::optional<Time> at_;
};

std::optional<Time> TimeLimitAt(const Turn& turn, const JobRow& job) {
  if (job.request.time_limit.count() <= 0) return std::nullopt;
  return turn.soft.jobs[job.id].attempt_started + (job.request.time_limit - job.ran);
}

// Starts that were not answered, and ranks that take too long.
std::optional<Time> TickStarts(Turn& turn, const AttemptRow& attempt) {
  JobSoft& soft = turn.soft.jobs[attempt.job];
  Earliest next;
  for (const protocol::RankKey& key : turn.tables.ranks().Keys(attempt.job, attempt.number)) {
    const RankRow& rank = *turn.tables.ranks().Find(key);
    const NodeSoft& node = turn.soft.nodes[rank.node];
    RankSoft& of_rank = soft.ranks[key.rank];
    if (!IsAwaited(rank, of_rank) || !node.reachable) continue;
    Time ready_by = soft.ready_from + of_rank.away + turn.deadlines().TrainerReady();
    if (ready_by <= turn.now) {
      FailAttempt(
          turn, attempt.job,
          {.reason = "rank " + std::to_string(key.rank) + " on " + turn.NodeName(rank.node) +
                     " was not ready within " + base::DurationText(turn.deadlines().TrainerReady()),
           .kind = protocol::FailureKind::kNotStarted});
      return std::nullopt;
    }
    next.Take(ready_by);
    if (rank.pid != 0) continue;
    if (of_rank.next_start <= turn.now) SendStartRank(turn, rank);
    next.Take(of_rank.next_start);
  }
  return next.at();
}

void EndUnstarted(Turn& turn, const AttemptRow& attempt) {
  JobId job = attempt.job;
  for (const protocol::RankKey& key : turn.tables.ranks().Keys(job, attempt.number)) {
    const RankRow* rank = turn.tables.ranks().Find(key);
    if (rank == nullptr) return;
    if (rank->exit || rank->pid != 0 || !turn.soft.nodes[rank->node].reachable) continue;
    protocol::ExitRecord record;
    record.code = protocol::kExitStopped;
    record.stopped_by_us = true;
    record.ended = turn.wall;
    record.note = "was stopped before it was started";
    EndRank(turn, key, record);
  }
}

// An attempt that is being stopped.
std::optional<Time> TickStopping(Turn& turn, const AttemptRow& attempt) {
  JobSoft& soft = turn.soft.jobs[attempt.job];
  const JobRow& job = turn.tables.jobs().Get(attempt.job);
  bool on_purpose = IsOnPurpose(attempt.cause);
  Duration grace = on_purpose ? JobGrace(turn, job) : turn.deadlines().Heartbeat() * 2;
  // Its grace was the time to save.
  if (WaitsAgain(attempt.cause)) grace = turn.deadlines().lease;
  if (soft.stop_at && *soft.stop_at <= turn.now) {
    StopRanks(turn, job.id, grace, attempt.reason);
  } else if (soft.stop_again_at && *soft.stop_again_at <= turn.now) {
    EndUnstarted(turn, attempt);
    if (turn.tables.attempts().Active(job.id) == nullptr) return std::nullopt;
    StopRanks(turn, job.id, grace, attempt.reason);
  }
  Earliest next;
  next.Take(soft.stop_at);
  next.Take(soft.stop_again_at);
  return next.at();
}

std::optional<Time> TickHealthy(Turn& turn, const AttemptRow& attempt) {
  JobId id = attempt.job;
  const JobRow& job = turn.tables.jobs().Get(id);
  std::optional<Time> limit = TimeLimitAt(turn, job);
  if (limit && *limit <= turn.now) {
    std::string reason =
        "the time limit of " + base::DurationText(job.request.time_limit) + " has passed";
    turn.Note("TimeLimitReached", reason, {.job = id, .attempt = attempt.number}, "warning");
    StopAttempt(turn, id, Cause::kTimeLimit, reason, true);
    return turn.soft.jobs[id].stop_at ? turn.soft.jobs[id].stop_at
                                      : turn.soft.jobs[id].stop_again_at;
  }
  Earliest next;
  next.Take(limit);
  next.Take(TickStarts(turn, attempt));
  if (turn.tables.attempts().Active(id) == nullptr || attempt.cause != Cause::kNone)
    return turn.now;
  next.Take(TickGeneration(turn, attempt));
  return next.at();
}

void EndBackOff(Turn& turn, JobId job) {
  auto soft = turn.soft.jobs.find(job);
  if (soft == turn.soft.jobs.end() || !soft->second.not_before) return;
  if (*soft->second.not_before > turn.now) return turn.WakeJob(job, *soft->second.not_before);
  soft->second.not_before.reset();
  turn.soft.placement_due = true;
}

}  // namespace

bool IsAwaited(const RankRow& rank, const RankSoft& soft) {
  if (rank.exit) return false;
  return rank.state == protocol::RankState::kStarting ||
         (rank.state == protocol::RankState::kReady && !soft.ready);
}

void TickJob(Turn& turn, JobId job) {
  const AttemptRow* attempt = turn.tables.attempts().Active(job);
  if (attempt == nullptr) return EndBackOff(turn, job);
  Earliest next;
  next.Take(JudgeLostNodes(turn, *attempt));
  attempt = turn.tables.attempts().Active(job);
  if (attempt == nullptr) return EndBackOff(turn, job);
  next.Take(attempt->cause == Cause::kNone ? TickHealthy(turn, *attempt)
                                           : TickStopping(turn, *attempt));
  if (turn.tables.jobs().Find(job) == nullptr) return;
  if (turn.tables.attempts().Active(job) == nullptr) return EndBackOff(turn, job);
  if (next.at()) turn.WakeJob(job, *next.at());
}

void Handle(Turn& turn, const TimePassed& event) {
  LengthenLeases(turn, event.loop_delay);
  while (auto node = turn.soft.node_timers.TakeDue(turn.now)) TickNode(turn, *node);
  while (auto node = turn.soft.drain_timers.TakeDue(turn.now)) WatchDrain(turn, *node);
  while (auto task = turn.soft.task_timers.TakeDue(turn.now)) {
    LoseTask(turn, *task, "the worker did not answer in time");
  }
  while (auto job = turn.soft.store_timers.TakeDue(turn.now)) {
    turn.soft.store_work[*job] = turn.now;
    turn.soft.store_due.insert(*job);
  }
  // Once each: a job that wants to be asked again at once is asked by the next event.
  std::vector<JobId> jobs;
  while (auto job = turn.soft.job_timers.TakeDue(turn.now)) jobs.push_back(*job);
  for (JobId job : jobs) TickJob(turn, job);
}

void Handle(Turn& turn, const RetentionDue& event) {
  std::set<JobId> gone;
  for (JobId job : event.jobs) {
    // Only its rows tell what is to be deleted from its store: they go last.
    if (turn.tables.jobs().Find(job) != nullptr || IsStoreWorkLeft(turn, job)) continue;
    turn.Persist(DeleteJob{job});
    gone.insert(job);
  }
  ForgetKeys(turn, gone);
  if (event.events_up_to) turn.Persist(DeleteEventsUpTo{event.events_up_to});
  ForgetUsage(turn);
}

std::optional<Time> NextTimer(const Soft& soft) {
  Earliest next;
  next.Take(soft.node_timers.Next());
  next.Take(soft.drain_timers.Next());
  next.Take(soft.task_timers.Next());
  next.Take(soft.job_timers.Next());
  next.Take(soft.store_timers.Next());
  next.Take(soft.replan_at);
  return next.at();
}

void ResumeJobs(Turn& turn) {
  AwaitNodes(turn);
  for (const auto& [id, row] : turn.tables.jobs().live()) {
    JobSoft& soft = turn.soft.jobs[id];
    soft.waiting_since = turn.now;
    RecallStore(turn, row);
    const AttemptRow* attempt = turn.tables.attempts().Active(id);
    if (attempt == nullptr) continue;
    if (IsElastic(row.request)) turn.soft.elastic.insert(id);
    // Wall time is all that is left to tell how long it has run; it is trusted within reason.
    Duration ran = std::max(Duration{0}, turn.wall - attempt->started);
    soft.attempt_started = Time{std::max<int64_t>(1, turn.now.us - ran.count())};
    soft.progress_at = soft.ready_from = turn.now;
    const GenerationRow* generation = turn.tables.attempts().Generation(id);
    bool current = generation != nullptr && generation->attempt == attempt->number;
    bool stopping = false;
    for (const RankRow* rank : turn.tables.ranks().Of(id, attempt->number)) {
      soft.nodes.insert(rank->node);
      RankSoft& of_rank = soft.ranks[rank->key.rank];
      of_rank.formed = current && generation->formed;
      of_rank.next_start = of_rank.next_form = turn.now + turn.deadlines().Repeat();
      stopping |= rank->stop_requested;
    }
    if (current) {
      for (const protocol::Member& member : generation->members) {
        soft.ranks[member.rank].ready = protocol::TrainerReady{member.address, {}};
      }
      soft.forming.tries = 1;
      if (!generation->formed) soft.forming.deadline = turn.now + turn.deadlines().FormGroup();
    }
    if (attempt->cause != Cause::kNone) {
      (stopping ? soft.stop_again_at : soft.stop_at) = turn.now + JobGrace(turn, row);
      turn.Explain(id, (stopping ? "stopping: " : "saving, then stopping: ") + attempt->reason);
    }
    turn.WakeJob(id, turn.now + turn.deadlines().Repeat());
  }
  for (JobId job : turn.tables.checkpoints().Jobs()) WantStoreWork(turn, job);
  for (const auto& [id, row] : turn.tables.nodes()) {
    if (row.draining && row.drain_by) turn.soft.drain_timers.Wake(id, turn.now);
  }
}

}  // namespace coxswain::coordinator::core
