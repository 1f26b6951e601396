// What people are told of the jobs that wait: why, behind whom, and when they start.
#pragma once

#include <string>

#include "coordinator/core/scheduling/planner.h"
#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

// "j12 (mnist)".
std::string NameOf(const Turn& turn, JobId id);
// What comes before the reason: "not yet checked; ", or why it pauses.
std::string ReasonPrefix(Turn& turn, JobId job);
// A plan that is made now tells each job how far back it is, and when it starts.
bool TellsAll(const Turn& turn);
Outlook OutlookOf(const Turn& turn, const Why& why);
// "812 jobs ahead in queue ci; j5 (big) is first".
std::string FarText(const Turn& turn, const QueueTree& tree, const FarJob& far);
void TellWhy(Turn& turn, const Plan& plan);

}  // namespace coxswain::coordinator::core
