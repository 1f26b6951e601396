#include "coordinator/core/handlers/shared_store_handler.h"

#include <algorithm>

#include "coordinator/core/handlers/task_handler.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

std::string Argument(const StoreProof& proof, const std::string& spec_yaml) {
  bool last = proof.at + 1 == proof.machines.size();
  std::string probe = proof.at == 0 ? "{\"write\":" : "{\"see\":";
  probe += JsonQuote(proof.mark) + (proof.at == 0 || last ? "}" : ",\"keep\":true}");
  return "{\"spec_yaml\":" + JsonQuote(spec_yaml) + ",\"probe\":" + probe + "}";
}

TaskId StartStep(Turn& turn, JobId job, StoreProof proof, const std::string& spec_yaml) {
  std::string argument = Argument(proof, spec_yaml);
  NodeId node = proof.machines[proof.at];
  return StartTask(
      turn,
      {.kind = protocol::TaskKind::kCheck, .node = node, .job = job, .proof = std::move(proof)},
      std::move(argument), spec_yaml);
}

}  // namespace

std::set<NodeId> NodesOf(const Placement& placement) {
  std::set<NodeId> nodes;
  for (const RankSlot& slot : placement.ranks) nodes.insert(slot.node);
  return nodes;
}

TaskId StartProof(Turn& turn, JobId job, const std::string& spec_yaml,
                  std::vector<NodeId> machines) {
  std::string mark = turn.cluster().id.value + "-" + std::to_string(turn.cluster().term.value) +
                     "-" + std::to_string(turn.cluster().last_task.value + 1);
  return StartStep(turn, job, {std::move(mark), std::move(machines), 0}, spec_yaml);
}

std::optional<TaskId> NextProofStep(Turn& turn, const TaskSoft& done,
                                    const std::string& spec_yaml) {
  StoreProof next = *done.proof;
  if (++next.at >= next.machines.size()) return std::nullopt;
  return StartStep(turn, done.job, std::move(next), spec_yaml);
}

std::string ProofFailed(Turn& turn, const TaskSoft& step, const protocol::TaskEnded& end,
                        const std::string& spec_yaml) {
  const StoreProof& proof = *step.proof;
  if (proof.at == 0) return end.error;
  StoreProof clean{proof.mark, {proof.machines.front(), proof.machines.front()}, 1};
  StartStep(turn, {}, std::move(clean), spec_yaml);  // nobody waits for it
  if (!end.user_error) return end.error;
  return end.error + " (" + turn.NodeName(proof.machines.front()) + " wrote it, " +
         turn.NodeName(step.node) + " looked for it)";
}

bool StoreServes(const Turn& turn, const JobRow& job, const std::set<NodeId>& machines) {
  if (!job.request.local_store || machines.size() < 2) return true;
  auto soft = turn.soft.jobs.find(job.id);
  if (soft == turn.soft.jobs.end()) return false;
  const std::set<NodeId>& proven = soft->second.store_proven;
  return std::includes(proven.begin(), proven.end(), machines.begin(), machines.end());
}

void ProveStore(Turn& turn, const JobRow& job, const std::set<NodeId>& machines,
                const std::optional<NodeId>& holder) {
  JobSoft& soft = turn.soft.jobs[job.id];
  if (soft.check) return;
  std::vector<NodeId> order(machines.begin(), machines.end());
  if (holder) {
    auto node = turn.soft.nodes.find(*holder);
    std::erase(order, *holder);
    if (machines.contains(*holder) || (node != turn.soft.nodes.end() && node->second.reachable))
      order.insert(order.begin(), *holder);
  }
  soft.check = StartProof(turn, job.id, job.spec_yaml, std::move(order));
  turn.Explain(job.id, "its file:// store is being checked: is it one place for " +
                           turn.NodeNames(machines) + "?");
}

}  // namespace coxswain::coordinator::core
