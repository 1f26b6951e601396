// A job whose checkpoints go to a file:// store may span machines only if that store is one place
// for all of them. The proof: one machine leaves a mark in it, each of the others must see the
// mark.
#pragma once

#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

std::set<NodeId> NodesOf(const Placement& placement);

// Starts a proof for these machines, the first of which writes. `job` 0: of a submission that
// waits.
TaskId StartProof(Turn& turn, JobId job, const std::string& spec_yaml,
                  std::vector<NodeId> machines);
// What follows a step that went well; nothing: it was the last, and the store is proven.
std::optional<TaskId> NextProofStep(Turn& turn, const TaskSoft& done, const std::string& spec_yaml);
// A step that failed: the line for people, with the machines' names. Has the mark removed.
std::string ProofFailed(Turn& turn, const TaskSoft& step, const protocol::TaskEnded& end,
                        const std::string& spec_yaml);

// May the job be started on these machines, as far as its store goes?
bool StoreServes(const Turn& turn, const JobRow& job, const std::set<NodeId>& machines);
// Has that proven, unless a check of the job is under way. `holder` has its checkpoints, if any.
void ProveStore(Turn& turn, const JobRow& job, const std::set<NodeId>& machines,
                const std::optional<NodeId>& holder);

}  // namespace coxswain::coordinator::core
