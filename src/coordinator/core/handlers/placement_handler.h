// The queue's way into the fleet: keeps the planner's view, asks it when something was freed or
// came, and acts on the plan.
#pragma once

#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

// A job has joined the end of the queue.
void QueueGrew(Turn& turn, JobId job);
// At the end of each turn: does nothing unless something changed.
void PlaceJobs(Turn& turn);
// Instead of that: before anything else is waited for.
void PlaceJobsSoon(Turn& turn);
// Why no state of the known fleet could hold it; empty: it could, or no fleet is known.
std::string WhyNeverPlaced(Turn& turn, const JobRequest& request);
// "it would start at once on a, b", "it would wait: needs 4 ranks ..."; 0: not known when.
struct WouldStart {
  std::string text;
  WallTime at;
};
WouldStart WhenItWouldStart(Turn& turn, const JobSubmitted& event);
// The nodes it would run on if it were placed now and alone; empty: it would have to wait.
std::set<NodeId> WouldRunOn(Turn& turn, const JobRequest& request);

}  // namespace coxswain::coordinator::core
