// Machines that fail different jobs: they are cordoned, with the evidence.
//
// An attempt's failure counts against the node of its culprit if the machine may be the cause: a
// crash, a kill from outside, lost peers or a lost store; not an exit code of the program, an error
// that a trainer owned up to, or a job's lack of memory. A job that failed on another node too, and
// a second one of the same user and name, say nothing. A job that completes there clears the node.
// The job itself goes elsewhere next, if there is room.
#pragma once

#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

void BlameNode(Turn& turn, const AttemptRow& failed);
// A job has completed on these.
void ClearNodes(Turn& turn, const std::set<NodeId>& nodes);

}  // namespace coxswain::coordinator::core
