// A job whose checkpoints go to a file:// store may span machines, or move to one that did not
// write them, only if that store is one place for all of them. The proof: one machine leaves a mark
// in it, each of the others must see the mark. Or, where the machine that wrote the checkpoints
// cannot be asked, and one machine is enough: that machine must see the checkpoint itself.
#pragma once

#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

std::set<NodeId> NodesOf(const Placement& placement);

// The machine with the file:// checkpoint that the job's next attempt begins with.
struct Holder {
  NodeId node;
  bool of_other_job = false;  // it is the one of --resume-from
  CheckpointId checkpoint;    // 0: of another job
};
std::optional<Holder> HolderOf(const Tables& tables, const JobRow& job);
inline std::optional<Holder> HolderOf(const Turn& turn, const JobRow& job) {
  return HolderOf(turn.tables, job);
}

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
// Some machine that sees its checkpoints is there, so that a proof for others is possible.
bool CanBeAsked(const Turn& turn, const JobRow& job);
// One that is there has seen its checkpoints, though another machine wrote them.
bool SeenElsewhere(const Soft& soft, const JobRow& job, const Holder& holder);
// Has it proven, unless a check of the job is under way.
void ProveStore(Turn& turn, const JobRow& job, const std::set<NodeId>& machines);

// Has this one machine look for a checkpoint: its worker may see where another one wrote it.
void LookFor(Turn& turn, const JobRow& job, CheckpointId checkpoint, const NodeId& node);
// A proof for these machines went well.
void StoreProven(Turn& turn, JobId job, const std::vector<NodeId>& machines);
// One machine did not see what another had left. True: the job can do without that machine, because
// it has run where its store is one place; it is avoided from now on.
bool AvoidUnseen(Turn& turn, const TaskSoft& step);
// The node has connected anew: perhaps it sees more now.
void LookAgain(Turn& turn, const NodeId& node);
// After a start: machines that the last attempt spanned had been proven.
void RecallStore(Turn& turn, const JobRow& job);

}  // namespace coxswain::coordinator::core
