#include "coordinator/core/handlers/retry_verdict.h"

#include <algorithm>

#include "common/base/byte_text.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

constexpr Duration kRefillAfter = base::seconds(600);

// The newest attempt before it that failed; null: none. Those that let go for others are no
// failures.
const AttemptRow* FailedBefore(const Turn& turn, const AttemptRow& attempt) {
  for (uint64_t number = attempt.number.value; number-- > 1;) {
    const AttemptRow* before = turn.tables.attempts().Find(attempt.job, Attempt(number));
    if (before != nullptr && !IsOnPurpose(before->cause)) return before;
  }
  return nullptr;
}

// The same failure at the same step, twice: the job's own, whatever is tried.
bool SameAsBefore(const Turn& turn, const AttemptRow& attempt) {
  const AttemptRow* before = FailedBefore(turn, attempt);
  if (before == nullptr || before->cause != attempt.cause || !before->exit || !attempt.exit) {
    return false;
  }
  return before->exit->record.code == attempt.exit->record.code &&
         before->exit->record.signal == attempt.exit->record.signal &&
         before->last_step == attempt.last_step;
}

// A crash may be a machine's, too: it was tried elsewhere, if there was room.
std::string SameMachineText(const Turn& turn, const AttemptRow& attempt) {
  const AttemptRow* before = FailedBefore(turn, attempt);
  const bool same = before != nullptr && before->exit && attempt.exit &&
                    attempt.exit->record.signal != 0 && before->exit->node == attempt.exit->node;
  if (!same) return "";
  const std::string node = turn.NodeName(attempt.exit->node);
  return "; both times on " + node + ": if that machine may be the cause, cox drain " + node +
         " and submit the job again";
}

bool KilledForMemory(const AttemptRow& attempt) {
  return attempt.cause == Cause::kOutOfMemory && attempt.exit && attempt.exit->record.oom_killed;
}

// More memory will not be there next time either; once may have been another's doing.
bool OutOfMemoryTwice(const Turn& turn, const AttemptRow& attempt) {
  const AttemptRow* before = FailedBefore(turn, attempt);
  return attempt.cause == Cause::kOutOfMemory && before != nullptr &&
         before->cause == Cause::kOutOfMemory;
}

// A service that the job needs is no node of it: what is FAILED says by its cause whose fault it
// was.
JobState FinalState(const AttemptRow& attempt) {
  switch (attempt.cause) {
    case Cause::kInfrastructure:
      return attempt.kind == protocol::FailureKind::kStore ? JobState::kFailed
                                                           : JobState::kNodeFail;
    case Cause::kOutOfMemory:
      return JobState::kOutOfMemory;
    case Cause::kTimeLimit:
      return JobState::kTimeout;
    case Cause::kCancelled:
      return JobState::kCancelled;
    case Cause::kPreempted:
    case Cause::kResized:
      return JobState::kPreempted;
    case Cause::kNone:
      return JobState::kCompleted;
    case Cause::kUser:
      break;
  }
  return JobState::kFailed;
}

// " at the same step (7)"; programs need not tell any.
std::string AtStep(const JobRow& job, const AttemptRow& attempt) {
  if (attempt.last_step > 0) {
    return " at the same step (" + base::CountText(attempt.last_step) + ")";
  }
  return job.request.own_program ? "" : " before the first step";
}

// It does not wait for slots again.
bool EndsWith(const JobRow& job, const AttemptRow& attempt) {
  return attempt.cause == Cause::kPreempted && job.request.end_when_preempted;
}

// A checkpoint was begun in this attempt and came to nothing.
bool HasTried(const Turn& turn, const AttemptRow& attempt) {
  const std::vector<const CheckpointRow*> all = turn.tables.checkpoints().OfJob(attempt.job);
  return std::any_of(all.begin(), all.end(), [&](const CheckpointRow* row) {
    return !IsWhole(*row) && row->opened >= attempt.started;
  });
}

std::string DoneText(const Turn& turn, const JobRow& job, const AttemptRow& attempt) {
  if (job.request.own_program) {
    return "its program ended with exit code 0" +
           (attempt.last_step > 0 ? ", at " + StepText(attempt.last_step) : std::string());
  }
  // Why its ranks ended early; with a cause it is why they were to stop, and they came to the end.
  if (attempt.cause == Cause::kNone && !attempt.reason.empty()) return attempt.reason;
  const auto& formed = turn.soft.jobs[job.id].formed;
  bool all_before = attempt.number.value == 1 && !job.resume_uri.empty() && formed &&
                    formed->step == attempt.last_step;
  if (all_before) {
    return "nothing was left to train: the checkpoint it began with is of " +
           StepText(attempt.last_step) +
           ", the last one (spec.train.epochs and spec.train.max_steps say how many there are)";
  }
  if (attempt.last_step == 1) return "its one step is done";
  return "all " + std::to_string(attempt.last_step) + " steps are done";
}

}  // namespace

std::optional<JobEnd> JudgeAttempt(const Turn& turn, const JobRow& job, const AttemptRow& attempt) {
  JobEnd end{FinalState(attempt), attempt.cause, attempt.reason, attempt.exit, attempt.kind};
  bool completed = !job.model_uri.empty() || job.request.own_program;
  for (const RankRow* rank : turn.tables.ranks().Of(job.id, attempt.number)) {
    completed &= rank->finished;
  }
  if (completed || attempt.cause == Cause::kNone) {
    return JobEnd{JobState::kCompleted, Cause::kNone, DoneText(turn, job, attempt), std::nullopt,
                  protocol::FailureKind::kNone};
  }
  if (attempt.cause == Cause::kCancelled || attempt.cause == Cause::kTimeLimit) {
    end.reason += UnsavedText(turn, job, attempt);
    return end;
  }
  if (job.cancel_requested) {
    return JobEnd{JobState::kCancelled, Cause::kCancelled, job.cancel_reason, attempt.exit,
                  protocol::FailureKind::kNone};
  }
  if (attempt.cause == Cause::kResized) return std::nullopt;
  if (attempt.cause == Cause::kPreempted) {
    if (!job.request.end_when_preempted) return std::nullopt;
    end.reason += UnsavedText(turn, job, attempt);
    return end;
  }
  if (attempt.cause == Cause::kUser && attempt.user_error) return end;
  if (attempt.cause == Cause::kUser && SameAsBefore(turn, attempt)) {
    end.reason += "; the same failure" + AtStep(job, attempt) + " twice, so it is not tried again";
    end.reason += SameMachineText(turn, attempt);
    return end;
  }
  if (OutOfMemoryTwice(turn, attempt) && !TakesFewerAtOnce(turn, job, attempt)) {
    end.reason += "; out of memory twice in a row, so it is not tried again: ";
    if (!job.request.own_program)
      end.reason += "make spec.model or spec.train.global_batch_size smaller, or ";
    end.reason += "use machines with more memory";
    return end;
  }
  if (job.failures >= job.request.max_attempts) {
    end.reason += "; " + Plural(job.failures, "attempt") + " of " +
                  std::to_string(job.request.max_attempts) + " failed";
    return end;
  }
  return std::nullopt;
}

uint32_t MemoryKills(const Turn& turn, const JobRow& job) {
  uint32_t kills = 0;
  for (uint64_t number = 1; number <= job.attempt.value; ++number) {
    const AttemptRow* attempt = turn.tables.attempts().Find(job.id, Attempt(number));
    kills += attempt != nullptr && KilledForMemory(*attempt) ? 1 : 0;
  }
  return kills;
}

bool TakesFewerAtOnce(const Turn& turn, const JobRow& job, const AttemptRow& attempt) {
  if (!KilledForMemory(attempt)) return false;
  return job.request.at_once >> std::min<uint32_t>(MemoryKills(turn, job), 62) > 0;
}

int64_t SavedStep(const Turn& turn, JobId job) {
  int64_t saved = 0;
  for (const CheckpointRow* row : turn.tables.checkpoints().OfJob(job)) {
    if (CanRestore(*row)) saved = std::max(saved, row->step);
  }
  return saved;
}

std::string UnsavedText(const Turn& turn, const JobRow& job, const AttemptRow& attempt) {
  auto soft = turn.soft.jobs.find(job.id);
  if (soft == turn.soft.jobs.end() || !soft->second.saves_last) return "";
  const int64_t saved = SavedStep(turn, job.id);
  const bool lost = saved < attempt.last_step;
  const std::string at = lost ? " (it was at " + StepText(attempt.last_step) + ")" : "";
  // A program may tell no steps, and what goes on elsewhere loses all that it has done.
  if (HasSavedNothing(turn, job) && !HasTried(turn, attempt)) {
    if (WaitsAgain(attempt.cause) && !EndsWith(job, attempt)) {
      return "; it has saved nothing" + at + ": " + WhereItBegins(job);
    }
    return lost ? "; it has saved nothing" + at : "";
  }
  if (!lost) return "";
  if (job.request.own_program && !HasTried(turn, attempt)) {
    return "; it has saved nothing after " + StepText(saved) + at;
  }
  return "; its last save did not succeed: " +
         (saved == 0 ? "nothing is saved" : "nothing is saved after " + StepText(saved)) + at;
}

bool HasSavedNothing(const Turn& turn, const JobRow& job) {
  if (!job.request.own_program) return false;
  const std::vector<const CheckpointRow*> all = turn.tables.checkpoints().OfJob(job.id);
  return std::none_of(all.begin(), all.end(),
                      [](const CheckpointRow* row) { return CanRestore(*row); });
}

std::string WhereItBegins(const JobRow& job) {
  return job.resume_uri.empty() ? "it begins anew" : "it begins again from what it was given";
}

bool MovedOn(const Turn& turn, const AttemptRow& attempt, Duration ran) {
  if (ran < kRefillAfter) return false;
  for (const CheckpointRow* row : turn.tables.checkpoints().OfJob(attempt.job)) {
    bool of_it = IsWhole(*row) && row->opened >= attempt.started;
    if (of_it && row->position > attempt.resumed_position) return true;
  }
  return false;
}

}  // namespace coxswain::coordinator::core
