// What follows when an attempt has ended: the job ends, or it is tried again.
//
// Failures are told apart: an error that a trainer owned up to, the same failure at the same step
// twice, and memory that ran out twice (if nothing can be done about it) are the job's; everything
// else uses up one of `max_attempts`. These refill: an attempt that ran a while and saved something
// new begins the count anew.
#pragma once

#include "coordinator/core/handlers/job_end_handler.h"

namespace coxswain::coordinator::core {

// How the job ends with this attempt; nothing: it is tried again.
std::optional<JobEnd> JudgeAttempt(const Turn& turn, const JobRow& job, const AttemptRow& attempt);

// Attempts that the kernel ended for lack of memory. For each, the ones after it put half as many
// samples through the model at a time.
uint32_t MemoryKills(const Turn& turn, const JobRow& job);
// This one was, and half as many is still one or more.
bool TakesFewerAtOnce(const Turn& turn, const JobRow& job, const AttemptRow& attempt);

// Of its newest checkpoint that can be restored; 0: there is none.
int64_t SavedStep(const Turn& turn, JobId job);

// "; its last save did not succeed: nothing is saved after step 200 (it was at step 6400)": of a
// job whose ranks were told to save before they stopped. Empty: they did. Programs are not known to
// have tried: "; it has saved nothing (it was at step 29)".
std::string UnsavedText(const Turn& turn, const JobRow& job, const AttemptRow& attempt);

// Such a program has no checkpoint of its own: what it has done is lost when it stops.
bool HasSavedNothing(const Turn& turn, const JobRow& job);

// "it begins anew", or with the checkpoint that it was given: what a job does that has none.
std::string WhereItBegins(const JobRow& job);

// The attempt ran long enough, and saved what the ones before it had not: failures before it no
// longer count.
bool MovedOn(const Turn& turn, const AttemptRow& attempt, Duration ran);

}  // namespace coxswain::coordinator::core
