// A job whose checkpoints are in a file:// folder is tied to the node that wrote them, until
// another node is found to see the same folder. When that node drains, is away, or is held by
// others while there is room elsewhere, others are asked, one at a time: does the newest checkpoint
// read there as it was written?
#pragma once

#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

// Asks the next node that could run the job, if its checkpoints are where it cannot stay and too
// few others are known to see them, or where it has no room now and that node has. `needs`: of the
// job.
void LookElsewhere(Turn& turn, const JobRow& job, const PendingJob& needs);

// A node has looked, or nobody will ever say what it saw (`lost`).
void CheckpointLookedFor(Turn& turn, const TaskSoft& task, const protocol::TaskEnded& end,
                         bool lost);

// "its checkpoints are in file:///x there, which no other node is known to see", of a job that runs
// on the node or has its checkpoints there. Empty: it may go on elsewhere.
std::string WhyTied(const Turn& turn, const JobRow& job, const NodeId& node);

}  // namespace coxswain::coordinator::core
