// A job of --resume-from and the checkpoint, of another job, that it begins with: as long as it may
// need that one, nobody deletes it.
#pragma once

#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

// Checkpoints that are being deleted are no longer offered to it. One line if that leaves none;
// empty: it may be accepted.
std::string DropDeleted(Turn& turn, JobSubmitted* event);

// Where the checkpoints are that live jobs begin with (those that have none of their own yet that
// was read back), and submissions that are being checked.
std::set<std::string> YetToBegin(const Turn& turn);
// The job has ended, or has a verified checkpoint of its own: what was kept for it may go.
void LetGo(Turn& turn, const JobRow& job);
// Likewise: a submission has been checked.
void LetGo(Turn& turn, const std::string& resume_uri, const JobRequest& request);

}  // namespace coxswain::coordinator::core
