// Nodes that are to be emptied: `cox drain`, its deadline, and the end of it.
#pragma once

#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

// The answer warns of jobs that cannot leave the node.
void Handle(Turn& turn, const DrainRequested& event);

// Has the jobs of a node with a deadline save and let go in time.
void WatchDrain(Turn& turn, const NodeId& node);
// The last rank of a draining node has gone.
void NoteIfDrained(Turn& turn, const NodeId& node);

}  // namespace coxswain::coordinator::core
