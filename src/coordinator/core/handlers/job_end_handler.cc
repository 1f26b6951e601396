#include "coordinator/core/handlers/job_end_handler.h"

#include "common/base/duration_text.h"
#include "coordinator/core/handlers/blame_handler.h"
#include "coordinator/core/handlers/checkpoint_handler.h"
#include "coordinator/core/handlers/resume_handler.h"
#include "coordinator/core/handlers/retry_verdict.h"
#include "coordinator/core/handlers/share_handler.h"
#include "coordinator/core/handlers/store_work_handler.h"
#include "coordinator/core/run_times.h"
#include "coordinator/core/scheduling/usage.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

constexpr size_t kEndedKeys = 4096;

// Its slots were wanted: it waits for others, with what it has saved. What the plan began is
// brought to its end at once: that is no new decision.
void WaitAgain(Turn& turn, const JobRow& job, const AttemptRow& attempt) {
  const std::string unsaved = UnsavedText(turn, job, attempt);
  std::string reason = attempt.reason + unsaved;
  turn.EditJob(job.id, [&](JobRow& row) {
    row.state = JobState::kPending;
    row.reason = reason;
    row.model_uri.clear();
    ++(attempt.cause == Cause::kResized ? row.resizes : row.preemptions);
  });
  turn.Note("JobRequeued", reason + "; it waits for slots",
            {.job = job.id, .attempt = attempt.number});
  JobSoft& soft = turn.soft.jobs[job.id];
  uint32_t size = attempt.cause == Cause::kResized ? soft.resizing.to : 0;
  if (size > 0) soft.resizing.lost_steps = !unsaved.empty() && !soft.resizing.let_go;
  soft.ForgetAttempt();
  soft.resizing.to = size;
  soft.waiting_since = turn.now;
  soft.back_off_reason = reason;
  turn.soft.plan.not_before = std::min(turn.soft.plan.not_before, turn.now + PlanPace(turn));
}

void TryAgain(Turn& turn, const JobRow& job, const AttemptRow& attempt) {
  JobId id = job.id;
  Duration pause = BackOff(job.failures);
  std::string reason = "attempt " + std::to_string(attempt.number.value) + " failed (" +
                       std::to_string(job.failures) + " of at most " +
                       std::to_string(job.request.max_attempts) + "): " + attempt.reason;
  turn.EditJob(id, [&](JobRow& row) {
    row.state = JobState::kRecovering;
    row.reason = reason;
    row.model_uri.clear();
  });
  const std::string fewer =
      TakesFewerAtOnce(turn, job, attempt) ? ", with half as many samples at a time" : "";
  turn.Note(
      "AttemptFailed",
      reason +
          (pause.count() > 0 ? "; next one in " + base::DurationText(pause) : "; trying again") +
          fewer,
      {.job = id, .attempt = attempt.number}, "warning");
  JobSoft& soft = turn.soft.jobs[id];
  soft.ForgetAttempt();
  soft.waiting_since = turn.now;
  if (pause.count() > 0) {
    soft.not_before = turn.now + pause;
    turn.WakeJob(id, *soft.not_before);
    turn.Explain(id, reason + "; the next one starts in " + base::DurationText(pause));
  }
  soft.back_off_reason = reason;
}

// An attempt that did not get as far as a step leaves what the one before it told.
void KeepProgress(const JobSoft& soft, JobRow* row) {
  LastProgress last{*soft.progress, soft.progress_wall};
  last.progress.step = std::max(last.progress.step, soft.best_step);
  if (last.progress.step == 0 && row->last_progress) return;
  if (last.progress.total_steps == 0 && row->last_progress) {
    last.progress.total_steps = row->last_progress->progress.total_steps;
  }
  row->last_progress = last;
}

void RememberKey(Turn& turn, const JobRow& job) {
  if (job.idempotency_key.empty()) return;
  turn.soft.ended_keys[job.idempotency_key] = {job.id, job.request_digest};
  turn.soft.ended_keys_order.push_back(job.idempotency_key);
  if (turn.soft.ended_keys_order.size() <= kEndedKeys) return;
  turn.soft.ended_keys.erase(turn.soft.ended_keys_order.front());
  turn.soft.ended_keys_order.pop_front();
}

const char* EndKind(JobState state) {
  switch (state) {
    case JobState::kCompleted:
      return "JobCompleted";
    case JobState::kCancelled:
      return "JobCancelled";
    case JobState::kTimeout:
      return "JobTimedOut";
    case JobState::kPreempted:
      return "JobPreempted";
    default:
      return "JobFailed";
  }
}

}  // namespace

Duration BackOff(uint32_t failures) {
  if (failures <= 1) return Duration{0};
  return base::seconds(std::min<int64_t>(60, int64_t{1} << std::min<uint32_t>(failures - 2, 6)));
}

void EndAttempt(Turn& turn, JobId job) {
  const AttemptRow* attempt = turn.tables.attempts().Active(job);
  Duration ran = turn.now - turn.soft.jobs[job].attempt_started;
  bool failed = IsFailure(attempt->cause);
  turn.EditRow(*attempt, [&](AttemptRow& row) {
    row.ended = turn.wall;
    row.last_step = std::max(row.last_step, turn.soft.jobs[job].best_step);
  });
  if (const GenerationRow* generation = turn.tables.attempts().Generation(job)) {
    turn.EditRow(*generation, [](GenerationRow& row) { row.closed = true; });
  }
  Charge(turn, turn.tables.jobs().Get(job), *attempt, ran);
  bool refilled = failed && MovedOn(turn, *attempt, ran);
  if (failed) BlameNode(turn, *attempt);
  const JobSoft& soft = turn.soft.jobs[job];
  turn.EditJob(job, [&](JobRow& row) {
    if (soft.progress) KeepProgress(soft, &row);
    if (!soft.speed.steps.empty()) row.speed = soft.speed;
    row.ran += ran;
    row.slot_time += SlotsHeld(row.request, attempt->workers) * ran;
    if (refilled) row.failures = 0;
    row.failures += failed ? 1 : 0;
  });
  AbortOpenCheckpoints(
      turn, job,
      "attempt " + std::to_string(attempt->number.value) + " ended before it was committed");
  turn.soft.placement_due = true;
  turn.soft.job_timers.Cancel(job);
  turn.soft.elastic.erase(job);
  const JobRow& row = turn.tables.jobs().Get(job);
  attempt = turn.tables.attempts().Newest(job);
  if (std::optional<JobEnd> end = JudgeAttempt(turn, row, *attempt)) return EndJob(turn, job, *end);
  if (WaitsAgain(attempt->cause)) return WaitAgain(turn, row, *attempt);
  TryAgain(turn, row, *attempt);
}

void ForgetKeys(Turn& turn, const std::set<JobId>& jobs) {
  std::erase_if(turn.soft.ended_keys,
                [&](const auto& entry) { return jobs.contains(entry.second.job); });
  std::erase_if(turn.soft.ended_keys_order,
                [&](const std::string& key) { return !turn.soft.ended_keys.contains(key); });
}

void EndJob(Turn& turn, JobId job, const JobEnd& end) {
  const JobRow& row = turn.tables.jobs().Get(job);
  RememberKey(turn, row);
  if (end.state == JobState::kCompleted) {
    LearnRunTime(&turn.soft, row.submitted_by, row.request.name, row.ran);
    ClearNodes(turn, turn.soft.jobs[job].nodes);
  }
  MarkForCollection(turn, job);
  VerifyNewest(turn, job);
  LetGo(turn, row);
  std::set<NodeId> nodes = turn.soft.jobs[job].nodes;
  Attempt attempt = row.attempt;
  turn.EditJob(job, [&](JobRow& changed) {
    changed.state = end.state;
    changed.cause = end.cause;
    changed.kind = end.kind;
    changed.reason = end.reason;
    changed.exit = end.exit;
    if (end.state != JobState::kCompleted) changed.model_uri.clear();
    changed.ended = turn.wall;
  });
  bool bad =
      end.cause != Cause::kNone && end.cause != Cause::kCancelled && end.cause != Cause::kPreempted;
  turn.Note(EndKind(end.state),
            std::string(ToString(end.state)) + (end.reason.empty() ? "" : ": " + end.reason),
            {.job = job, .attempt = attempt}, bad ? "error" : "info");
  for (const NodeId& node : nodes) turn.Order(node, protocol::ForgetJob{job});
  turn.soft.jobs.erase(job);
  turn.soft.job_timers.Cancel(job);
  turn.soft.placement_due = true;
  turn.TouchJob(job);
  WantStoreWork(turn, job);
}

}  // namespace coxswain::coordinator::core
