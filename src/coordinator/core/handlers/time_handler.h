// What is due: every deadline of jobs, nodes and tasks is a timer of its owner.
#pragma once

#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

void Handle(Turn& turn, const TimePassed& event);
void Handle(Turn& turn, const RetentionDue& event);

// Does what is due for the job now, and sets its next timer.
void TickJob(Turn& turn, JobId job);
// Its process has not said where it listens: never, or only to an earlier life of the coordinator.
bool IsAwaited(const RankRow& rank, const RankSoft& soft);
std::optional<Time> NextTimer(const Soft& soft);
// After a start: what memory held about running attempts is made anew.
void ResumeJobs(Turn& turn);

}  // namespace coxswain::coordinator::core
