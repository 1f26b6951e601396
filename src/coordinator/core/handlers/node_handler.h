// Nodes: leases, reachability, forgetting.
#pragma once

#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

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

// Ranks of this job on lost nodes: it is held if the others make no progress, and the next plan
// says whether there is room for it elsewhere. Returns when it wants to be asked again.
std::optional<Time> JudgeLostNodes(Turn& turn, const AttemptRow& attempt);
// Each that is held, before a plan.
void JudgeHeldJobs(Turn& turn);
// There is: its attempt fails.
void GiveUpLost(Turn& turn, JobId job);
// There is not: it is left as it is. `tied`: nor can there be, while its checkpoints are there.
void HoldLost(Turn& turn, JobId job, const std::string& why, bool tied);

// With ranks there that have not ended.
std::set<JobId> JobsOn(const Turn& turn, const NodeId& node);
// By id, else by name.
const NodeRow* FindNode(const Turn& turn, const NodeId& id);
void ReplyUnknown(Turn& turn, CallId call, const NodeId& node);

}  // namespace coxswain::coordinator::core
