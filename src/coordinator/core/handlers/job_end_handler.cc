#include "coordinator/core/handlers/job_end_handler.h"

#include "coordinator/core/handlers/checkpoint_handler.h"
#include "coordinator/core/handlers/resume_handler.h"
#include "coordinator/core/handlers/store_work_handler.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

constexpr size_t kEndedKeys = 4096;

// The same failure at the same step, twice: the job's own, whatever is tried.
bool SameAsBefore(const Turn& turn, const AttemptRow& attempt) {
  const AttemptRow* before =
      turn.tables.attempts().Find(attempt.job, Attempt(attempt.number.value - 1));
  if (before == nullptr || before->cause != attempt.cause || !before->exit || !attempt.exit) {
    return false;
  }
  return before->exit->record.code == attempt.exit->record.code &&
         before->exit->record.signal == attempt.exit->record.signal &&
         before->last_step == attempt.last_step;
}

// More memory will not be there next time either; once may have been another's doing.
bool OutOfMemoryTwice(const Turn& turn, const AttemptRow& attempt) {
  const AttemptRow* before =
      turn.tables.attempts().Find(attempt.job, Attempt(attempt.number.value - 1));
  return attempt.cause == Cause::kOutOfMemory && before != nullptr &&
         before->cause == Cause::kOutOfMemory;
}

JobState FinalState(Cause cause) {
  switch (cause) {
    case Cause::kInfrastructure:
      return JobState::kNodeFail;
    case Cause::kOutOfMemory:
      return JobState::kOutOfMemory;
    case Cause::kTimeLimit:
      return JobState::kTimeout;
    case Cause::kCancelled:
      return JobState::kCancelled;
    case Cause::kNone:
      return JobState::kCompleted;
    case Cause::kUser:
      break;
  }
  return JobState::kFailed;
}

std::string DoneText(const Turn& turn, const JobRow& job, const AttemptRow& attempt) {
  const auto& formed = turn.soft.jobs[job.id].formed;
  bool all_before = attempt.number.value == 1 && !job.resume_uri.empty() && formed &&
                    formed->step == attempt.last_step;
  if (all_before) {
    return "nothing was left to train: the checkpoint it began with is of step " +
           std::to_string(attempt.last_step) +
           ", the last one (spec.train.epochs and spec.train.max_steps say how many there are)";
  }
  if (attempt.last_step == 1) return "its one step is done";
  return "all " + std::to_string(attempt.last_step) + " steps are done";
}

// "; its last save did not succeed: nothing is saved after step 200 (it was at step 6400)": of a
// job whose ranks were told to save before they stopped. Empty: they did.
std::string UnsavedText(const Turn& turn, const JobRow& job, const AttemptRow& attempt) {
  auto soft = turn.soft.jobs.find(job.id);
  if (soft == turn.soft.jobs.end() || !soft->second.saves_last) return "";
  int64_t saved = 0;
  for (const CheckpointRow* row : turn.tables.checkpoints().OfJob(job.id)) {
    if (CanRestore(*row)) saved = std::max(saved, row->step);
  }
  if (saved >= attempt.last_step) return "";
  return "; its last save did not succeed: " +
         (saved == 0 ? "nothing is saved"
                     : "nothing is saved after step " + std::to_string(saved)) +
         " (it was at step " + std::to_string(attempt.last_step) + ")";
}

// How the job ends with this attempt; nothing: it is tried again.
std::optional<JobEnd> Judge(const Turn& turn, const JobRow& job, const AttemptRow& attempt) {
  JobEnd end{FinalState(attempt.cause), attempt.cause, attempt.reason, attempt.exit};
  bool completed = !job.model_uri.empty();
  for (const RankRow* rank : turn.tables.ranks().Of(job.id, attempt.number)) {
    completed &= rank->finished;
  }
  if (completed || attempt.cause == Cause::kNone) {
    return JobEnd{JobState::kCompleted, Cause::kNone, DoneText(turn, job, attempt), std::nullopt};
  }
  if (attempt.cause == Cause::kCancelled || attempt.cause == Cause::kTimeLimit) {
    end.reason += UnsavedText(turn, job, attempt);
    return end;
  }
  if (job.cancel_requested) {
    return JobEnd{JobState::kCancelled, Cause::kCancelled, job.cancel_reason, attempt.exit};
  }
  if (attempt.cause == Cause::kUser && attempt.user_error) return end;
  if (attempt.cause == Cause::kUser && SameAsBefore(turn, attempt)) {
    end.reason += "; the same failure at the same step (" + std::to_string(attempt.last_step) +
                  ") twice, so it is not tried again";
    return end;
  }
  if (OutOfMemoryTwice(turn, attempt)) {
    end.reason +=
        "; out of memory twice in a row, so it is not tried again: make spec.model or "
        "spec.train.global_batch_size smaller, or use machines with more memory";
    return end;
  }
  if (job.failures >= job.request.max_attempts) {
    end.reason += "; " + Plural(job.failures, "attempt") + " of " +
                  std::to_string(job.request.max_attempts) + " failed";
    return end;
  }
  return std::nullopt;
}

void TryAgain(Turn& turn, const JobRow& job, const AttemptRow& attempt) {
  JobId id = job.id;
  Duration pause = BackOff(job.failures);
  std::string reason = "attempt " + std::to_string(attempt.number.value) + " of " +
                       std::to_string(job.request.max_attempts) + " failed: " + attempt.reason;
  turn.EditJob(id, [&](JobRow& row) {
    row.state = JobState::kRecovering;
    row.reason = reason;
    row.model_uri.clear();
  });
  turn.Note("AttemptFailed",
            reason + (pause.count() > 0 ? "; next one in " + Seconds(pause) : "; trying again"),
            {.job = id, .attempt = attempt.number}, "warning");
  JobSoft& soft = turn.soft.jobs[id];
  soft.ForgetAttempt();
  if (pause.count() > 0) {
    soft.not_before = turn.now + pause;
    turn.WakeJob(id, *soft.not_before);
    turn.Explain(id, reason + "; the next one starts in " + Seconds(pause));
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
  bool failed = attempt->cause == Cause::kUser || attempt->cause == Cause::kInfrastructure ||
                attempt->cause == Cause::kOutOfMemory;
  turn.EditRow(*attempt, [&](AttemptRow& row) {
    row.ended = turn.wall;
    row.last_step = std::max(row.last_step, turn.soft.jobs[job].best_step);
  });
  if (const GenerationRow* generation = turn.tables.attempts().Generation(job)) {
    turn.EditRow(*generation, [](GenerationRow& row) { row.closed = true; });
  }
  const JobSoft& soft = turn.soft.jobs[job];
  turn.EditJob(job, [&](JobRow& row) {
    if (soft.progress) KeepProgress(soft, &row);
    row.ran += ran;
    row.failures += failed ? 1 : 0;
  });
  AbortOpenCheckpoints(
      turn, job,
      "attempt " + std::to_string(attempt->number.value) + " ended before it was committed");
  turn.soft.placement_due = true;
  turn.soft.job_timers.Cancel(job);
  const JobRow& row = turn.tables.jobs().Get(job);
  attempt = turn.tables.attempts().Newest(job);
  if (std::optional<JobEnd> end = Judge(turn, row, *attempt)) return EndJob(turn, job, *end);
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
  MarkForCollection(turn, job);
  VerifyNewest(turn, job);
  LetGo(turn, row);
  std::set<NodeId> nodes = turn.soft.jobs[job].nodes;
  Attempt attempt = row.attempt;
  turn.EditJob(job, [&](JobRow& changed) {
    changed.state = end.state;
    changed.cause = end.cause;
    changed.reason = end.reason;
    changed.exit = end.exit;
    if (end.state != JobState::kCompleted) changed.model_uri.clear();
    changed.ended = turn.wall;
  });
  bool bad = end.cause != Cause::kNone && end.cause != Cause::kCancelled;
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
