#include "coordinator/core/handlers/shared_store_handler.h"

#include <algorithm>

#include "coordinator/core/handlers/task_handler.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

std::string Argument(const Turn& turn, const StoreProof& proof, const std::string& spec_yaml) {
  if (proof.checkpoint) {
    const CheckpointRow& row = *turn.tables.checkpoints().Find(proof.checkpoint);
    // A trainer that knows no checkpoints here looks for a mark without a name, and sees none.
    return "{\"spec_yaml\":" + JsonQuote(spec_yaml) +
           ",\"probe\":{\"see\":\"\",\"checkpoint\":{\"uri\":" + JsonQuote(row.uri) +
           ",\"manifest_hash\":" + JsonQuote(row.manifest_hash) + "}}}";
  }
  bool last = proof.at + 1 == proof.machines.size();
  std::string probe = proof.at == 0 ? "{\"write\":" : "{\"see\":";
  probe += JsonQuote(proof.mark) + (proof.at == 0 || last ? "}" : ",\"keep\":true}");
  return "{\"spec_yaml\":" + JsonQuote(spec_yaml) + ",\"probe\":" + probe + "}";
}

TaskId StartStep(Turn& turn, JobId job, StoreProof proof, const std::string& spec_yaml) {
  std::string argument = Argument(turn, proof, spec_yaml);
  NodeId node = proof.machines[proof.at];
  return StartTask(
      turn,
      {.kind = protocol::TaskKind::kCheck, .node = node, .job = job, .proof = std::move(proof)},
      std::move(argument), spec_yaml);
}

bool Meet(const std::set<NodeId>& a, const std::set<NodeId>& b) {
  return std::any_of(a.begin(), a.end(), [&](const NodeId& each) { return b.contains(each); });
}

// Machines that are known to see the checkpoints to begin with. Empty: there are none, or what
// there is comes with --resume-from, whose machine is one of the job's anyway.
std::set<NodeId> SeersOf(const Turn& turn, const JobRow& job) {
  std::optional<Holder> holder = HolderOf(turn, job);
  if (!holder || holder->of_other_job) return {};
  auto soft = turn.soft.jobs.find(job.id);
  if (soft != turn.soft.jobs.end() && soft->second.store_place.contains(holder->node)) {
    return soft->second.store_place;
  }
  return {holder->node};
}

bool NeedsProof(const Turn& turn, const JobRow& job, const std::set<NodeId>& machines) {
  if (!job.request.local_store) return false;
  if (machines.size() > 1) return true;
  std::optional<Holder> holder = HolderOf(turn, job);
  return holder && !machines.contains(holder->node);
}

bool IsThere(const Soft& soft, const NodeId& id) {
  auto node = soft.nodes.find(id);
  return node != soft.nodes.end() && node->second.reachable && node->second.session;
}

// Which of those that see the checkpoints takes part in the proof: the one that wrote them if it is
// there, else one of the job's machines, else any.
std::optional<NodeId> Witness(const Turn& turn, const JobRow& job,
                              const std::set<NodeId>& machines) {
  std::optional<NodeId> found;
  std::optional<Holder> holder = HolderOf(turn, job);
  for (const NodeId& id : SeersOf(turn, job)) {
    if (!IsThere(turn.soft, id)) continue;
    if (id == holder->node) return id;
    if (!found || (machines.contains(id) && !machines.contains(*found))) found = id;
  }
  return found;
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

std::optional<Holder> HolderOf(const Tables& tables, const JobRow& job) {
  std::vector<const CheckpointRow*> rows = tables.checkpoints().OfJob(job.id);
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
    if (!IsWhole(**row)) continue;
    if (!job.request.local_store) return std::nullopt;
    if (!(*row)->node.empty()) return Holder{(*row)->node, false, (*row)->id};
  }
  if (job.request.resume_node.empty()) return std::nullopt;
  return Holder{job.request.resume_node, true, {}};
}

bool StoreServes(const Turn& turn, const JobRow& job, const std::set<NodeId>& machines) {
  if (!NeedsProof(turn, job, machines)) return true;
  auto soft = turn.soft.jobs.find(job.id);
  if (soft == turn.soft.jobs.end()) return false;
  const std::set<NodeId>& proven = soft->second.store_proven;
  if (!std::includes(proven.begin(), proven.end(), machines.begin(), machines.end())) return false;
  std::set<NodeId> seers = SeersOf(turn, job);
  return seers.empty() || Meet(seers, proven);
}

bool CanBeAsked(const Turn& turn, const JobRow& job) { return Witness(turn, job, {}).has_value(); }

bool SeenElsewhere(const Soft& soft, const JobRow& job, const Holder& holder) {
  auto found = soft.jobs.find(job.id);
  if (holder.of_other_job || found == soft.jobs.end()) return false;
  const JobSoft& of_job = found->second;
  if (!of_job.store_place.contains(holder.node)) return false;
  return std::any_of(of_job.store_place.begin(), of_job.store_place.end(), [&](const NodeId& id) {
    return id != holder.node && IsThere(soft, id) && !of_job.store_unseen.contains(id);
  });
}

void LookFor(Turn& turn, const JobRow& job, CheckpointId checkpoint, const NodeId& node) {
  turn.soft.jobs[job.id].check =
      StartStep(turn, job.id, {"", {node}, 0, checkpoint}, job.spec_yaml);
  if (turn.tables.attempts().Active(job.id) != nullptr) return;
  turn.Explain(job.id, "its file:// store is being checked: does " + turn.NodeName(node) +
                           " see its checkpoints?");
}

void ProveStore(Turn& turn, const JobRow& job, const std::set<NodeId>& machines) {
  JobSoft& soft = turn.soft.jobs[job.id];
  if (soft.check || soft.look_after > turn.now) return;
  std::optional<Holder> holder = HolderOf(turn, job);
  // Nobody else is there to leave a mark for it.
  if (machines.size() == 1 && holder && holder->checkpoint &&
      Witness(turn, job, machines).value_or(*machines.begin()) == *machines.begin()) {
    return LookFor(turn, job, holder->checkpoint, *machines.begin());
  }
  std::vector<NodeId> order(machines.begin(), machines.end());
  std::stable_partition(order.begin(), order.end(),
                        [&](const NodeId& id) { return soft.store_place.contains(id); });
  if (std::optional<NodeId> witness = Witness(turn, job, machines)) {
    std::erase(order, *witness);
    order.insert(order.begin(), *witness);
  }
  soft.check = StartProof(turn, job.id, job.spec_yaml, order);
  turn.Explain(job.id, "its file:// store is being checked: is it one place for " +
                           turn.NodeNames({order.begin(), order.end()}) + "?");
}

void StoreProven(Turn& turn, JobId job, const std::vector<NodeId>& machines) {
  JobSoft& soft = turn.soft.jobs[job];
  soft.store_proven = {machines.begin(), machines.end()};
  if (!Meet(soft.store_place, soft.store_proven)) soft.store_place.clear();
  soft.store_place.insert(machines.begin(), machines.end());
}

bool AvoidUnseen(Turn& turn, const TaskSoft& step) {
  JobSoft& soft = turn.soft.jobs[step.job];
  const NodeId& writer = step.proof->machines.front();
  bool shared = soft.store_place.size() > 1 && soft.store_place.contains(writer);
  if (step.proof->at == 0 || !shared) return false;
  soft.store_unseen.insert(step.node);
  turn.soft.blind_nodes.insert(step.job);
  turn.Note("StoreNotShared",
            turn.NodeName(step.node) + " does not see the job's file:// store as " +
                turn.NodeName(writer) + " does: the job is not started there",
            {.job = step.job, .node = step.node}, "warning");
  return true;
}

void LookAgain(Turn& turn, const NodeId& node) {
  std::erase_if(turn.soft.blind_nodes, [&](JobId id) {
    auto job = turn.soft.jobs.find(id);
    if (job == turn.soft.jobs.end()) return true;
    job->second.store_unseen.erase(node);
    return job->second.store_unseen.empty();
  });
}

void RecallStore(Turn& turn, const JobRow& job) {
  const AttemptRow* attempt = turn.tables.attempts().Newest(job.id);
  if (!job.request.local_store || attempt == nullptr) return;
  std::set<NodeId>& place = turn.soft.jobs[job.id].store_place;
  for (const RankRow* rank : turn.tables.ranks().Of(job.id, attempt->number)) {
    place.insert(rank->node);
  }
}

}  // namespace coxswain::coordinator::core
