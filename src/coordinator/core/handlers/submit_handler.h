// From a submission to an accepted job: repeats recognized, impossible ones refused, data and store
// checked on a worker before the answer where there is one, as the job's first act where there is
// none.
#pragma once

#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

void Handle(Turn& turn, const JobSubmitted& event);
// The check of a submission that waits has ended; `lost`: nobody will ever say how.
void SubmissionChecked(Turn& turn, TaskId id, const TaskSoft& task, const protocol::TaskEnded& end,
                       bool lost);
// The check of an accepted job has ended.
void JobChecked(Turn& turn, const TaskSoft& task, const protocol::TaskEnded& end, bool lost);
// Has an accepted job's data and store checked on this node, unless that is under way.
void CheckJob(Turn& turn, JobId job, const NodeId& node);

}  // namespace coxswain::coordinator::core
