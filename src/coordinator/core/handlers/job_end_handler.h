// What follows when an attempt is over: the next one after a pause, or the job's end.
#pragma once

#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

// Every rank of the active attempt has exited.
void EndAttempt(Turn& turn, JobId job);

struct JobEnd {
  JobState state = JobState::kFailed;
  Cause cause = Cause::kNone;
  std::string reason;
  std::optional<Exit> exit;
  protocol::FailureKind kind = protocol::FailureKind::kNone;
};
// The job leaves memory; no rank of it may be left.
void EndJob(Turn& turn, JobId job, const JobEnd& end);
// These jobs are no more: their idempotency keys may make new ones.
void ForgetKeys(Turn& turn, const std::set<JobId>& jobs);

// The pause before the next try: none after the first failure, then 1, 2, 4 ... 60 s.
Duration BackOff(uint32_t failures);

}  // namespace coxswain::coordinator::core
