// Nodes: leases, reachability, draining, forgetting.
#pragma once

#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

void Handle(Turn& turn, const DrainRequested& event);
// Refused while the node is connected or may still run ranks.
void Handle(Turn& turn, const ForgetRequested& event);

// The node was heard. `is_new`: for the first time ever.
void RenewLease(Turn& turn, const NodeId& node, bool is_new);
// It is unreachable from now on (lease over, or it said that it leaves).
void LoseContact(Turn& turn, const NodeId& node, const std::string& why);
// Its lease, or the time after which it counts as lost, may be over.
void TickNode(Turn& turn, const NodeId& node);
// The loop was late: no lease ran out meanwhile. Granted to all nodes at once when it has come to a
// small part of a lease.
void LengthenLeases(Turn& turn, Duration by);
// After a start: nodes that hold ranks are awaited, and nothing is lost before NodeLostAfter.
void AwaitNodes(Turn& turn);

// Ranks of this job on lost nodes: the attempt fails if the others make no progress and the job
// could be placed elsewhere; with no other place it is held as it is. Returns when it wants to be
// asked again.
std::optional<Time> JudgeLostNodes(Turn& turn, const AttemptRow& attempt);
// The held ones again, if anything has changed about what is free.
void JudgeHeldJobs(Turn& turn);
// The last rank of a draining node has gone.
// Has the jobs of a node with a deadline save and let go in time.
void WatchDrain(Turn& turn, const NodeId& node);

void NoteIfDrained(Turn& turn, const NodeId& node);

}  // namespace coxswain::coordinator::core
