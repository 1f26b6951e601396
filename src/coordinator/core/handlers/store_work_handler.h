// What is done to checkpoints after their commit: read back and verified, and collected when newer
// ones have taken their place. Works from rows; one task of each kind at a time per job.
#pragma once

#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

// The job may have something to verify or collect, now or when a worker is free.
void WantStoreWork(Turn& turn, JobId job);
// Starts what can be started for the jobs that want it. At the end of each turn.
void DoStoreWork(Turn& turn);

// Sets `collect` on what is not kept: the newest verified ones are, and the final one.
void MarkForCollection(Turn& turn, JobId job);
// Starts to verify the newest committed one that can be reached, if a worker is free.
void VerifyNewest(Turn& turn, JobId job);

// Objects of this ended job are still to be deleted, on a machine that has not been forgotten.
bool IsStoreWorkLeft(const Turn& turn, JobId job);

void Verified(Turn& turn, const TaskSoft& task, const protocol::TaskEnded& end);
void Collected(Turn& turn, const TaskSoft& task, const protocol::TaskEnded& end);

}  // namespace coxswain::coordinator::core
