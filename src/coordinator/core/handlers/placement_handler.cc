#include "coordinator/core/handlers/placement_handler.h"

#include <algorithm>
#include <map>

#include "coordinator/core/handlers/attempt_handler.h"
#include "coordinator/core/handlers/shared_store_handler.h"
#include "coordinator/core/handlers/submit_handler.h"
#include "coordinator/core/placement/gang_fit.h"
#include "coordinator/core/placement/placement_text.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

// How many waiting jobs one plan looks at, and have their place in the queue told.
constexpr size_t kPlanAhead = 64;
constexpr size_t kNodesToTellHolders = 16;
constexpr size_t kHoldersToTell = 3;

std::string WhyNotUsable(const Turn& turn, const NodeRow& row) {
  auto found = turn.soft.nodes.find(row.id);
  if (found == turn.soft.nodes.end() || !found->second.session) return "not connected";
  if (!found->second.reachable) return "unreachable";
  if (row.draining) return "draining";
  if (!found->second.leftovers.empty()) return "stopping ranks of an earlier attempt";
  return row.inventory.why_no_work;
}

// `without`: as if this job had no rank there; 0: as it is.
NodeCapacity CapacityOf(const Turn& turn, const NodeRow& row, JobId without = {}) {
  NodeCapacity node;
  node.name = turn.NodeName(row.id);
  node.why_not = WhyNotUsable(turn, row);
  node.cpus = row.inventory.cpu_slots;
  node.memory = row.inventory.memory_bytes;
  node.labels = row.inventory.labels;
  if (auto rack = node.labels.find(turn.settings.rack_label); rack != node.labels.end()) {
    node.rack = rack->second;
  }
  uint64_t cpus_used = 0;
  int64_t memory_used = 0;
  std::set<std::string> gpus_used;
  for (const protocol::RankKey& key : turn.tables.ranks().OnNode(row.id)) {
    if (without && key.job == without) continue;
    const RankRow& rank = *turn.tables.ranks().Find(key);
    const JobRow* job = turn.tables.jobs().Find(key.job);
    cpus_used += rank.cpus;
    memory_used += job == nullptr ? 0 : job->request.memory_bytes;
    gpus_used.insert(rank.gpu_uuids.begin(), rank.gpu_uuids.end());
  }
  node.cpus_free = cpus_used >= node.cpus ? 0 : static_cast<uint32_t>(node.cpus - cpus_used);
  node.memory_free = node.memory - memory_used;
  for (const protocol::GpuInfo& gpu : row.inventory.gpus) {
    node.gpus.push_back({gpu.uuid, gpu.name, gpu.available && !gpus_used.contains(gpu.uuid)});
  }
  return node;
}

bool HasRanksOf(const Turn& turn, const NodeId& node, JobId job) {
  const std::set<protocol::RankKey>& keys = turn.tables.ranks().OnNode(node);
  auto first = keys.lower_bound({job, Attempt(0), 0});
  return first != keys.end() && first->job == job;
}

void RefreshCapacity(Turn& turn) {
  for (const NodeId& id : turn.soft.stale_capacity) {
    const NodeRow* row = turn.tables.FindNode(id);
    if (row == nullptr) {
      turn.soft.capacity.erase(id);
    } else {
      turn.soft.capacity[id] = CapacityOf(turn, *row);
    }
  }
  turn.soft.stale_capacity.clear();
}

// A job with a file:// store stays on one node, the one that holds its checkpoints if there are
// any, as long as that is large enough. Otherwise it leaves it or spans nodes, and its store has to
// be proven to be one place for them and the holder, by a machine that can tell.
PendingJob Pending(const Turn& turn, JobId id, const JobRequest& request,
                   const std::optional<Holder>& holder) {
  PendingJob job{.id = id,
                 .ranks = request.workers,
                 .cpus = request.cpus,
                 .gpus = request.gpus,
                 .memory = request.memory_bytes,
                 .selector = request.node_selector,
                 .gpu_kinds = request.gpu_kinds,
                 .within = request.within,
                 .only = std::nullopt,
                 .avoid = {},
                 .first = std::nullopt};
  if (auto soft = turn.soft.jobs.find(id); soft != turn.soft.jobs.end()) {
    job.avoid = soft->second.store_unseen;
  }
  if (holder && holder->of_other_job) job.first = holder->node;
  if (!request.local_store) return job;
  const PlacementView& all = turn.soft.capacity;
  if (holder) {
    auto node = all.find(holder->node);
    const JobRow* row = turn.tables.jobs().Find(id);
    bool asked = holder->of_other_job || row == nullptr || CanBeAsked(turn, *row);
    job.local_store = node == all.end() || FitsOneNode({*node}, job) || !asked;
    if (job.local_store) job.only = holder->node;
  } else {
    job.local_store = all.empty() || FitsOneNode(all, job);
  }
  if (job.local_store) job.within = Within::kMachine;
  return job;
}

// The head of the queue. Jobs in a pause stand aside.
std::vector<PendingJob> Head(const Turn& turn, bool* all) {
  std::vector<PendingJob> pending;
  for (JobId id : turn.tables.waiting()) {
    if (pending.size() == kPlanAhead) {
      *all = false;
      return pending;
    }
    auto soft = turn.soft.jobs.find(id);
    if (soft != turn.soft.jobs.end() && soft->second.not_before) continue;
    const JobRow& job = turn.tables.jobs().Get(id);
    pending.push_back(Pending(turn, id, job.request, HolderOf(turn, job)));
  }
  *all = true;
  return pending;
}

std::string Prefix(Turn& turn, JobId job) {
  const JobSoft& soft = turn.soft.jobs[job];
  if (!soft.back_off_reason.empty()) return soft.back_off_reason + "; ";
  const JobRow& row = turn.tables.jobs().Get(job);
  if (row.check == CheckState::kPassed) return "";
  return "not yet checked" + (soft.check_note.empty() ? "" : ": " + soft.check_note) + "; ";
}

struct Held {
  uint64_t cpus = 0, gpus = 0;
};

// "; j1 (mnist) holds 2 CPU slots and 2 GPUs": who has what the first in the queue waits for. In a
// large fleet that would be too many to tell.
std::string HoldersText(const Turn& turn) {
  if (turn.soft.capacity.size() > kNodesToTellHolders) return "";
  std::map<JobId, Held> by_job;
  for (const auto& [node, capacity] : turn.soft.capacity) {
    for (const protocol::RankKey& key : turn.tables.ranks().OnNode(node)) {
      const RankRow& rank = *turn.tables.ranks().Find(key);
      by_job[key.job].cpus += rank.cpus;
      by_job[key.job].gpus += rank.gpu_uuids.size();
    }
  }
  std::string out;
  size_t told = 0;
  for (const auto& [id, held] : by_job) {
    const JobRow* job = turn.tables.jobs().Find(id);
    if (job == nullptr) continue;
    if (++told > kHoldersToTell) return out + " and others";
    out += out.empty() ? "; " : ", ";
    out +=
        base::ToString(id) + " (" + job->request.name + ") holds " + Plural(held.cpus, "CPU slot");
    if (held.gpus > 0) out += " and " + Plural(held.gpus, "GPU");
  }
  return out;
}

// One plan and what follows. True: jobs were started and more are waiting.
bool PlaceSome(Turn& turn) {
  bool all = true;
  std::vector<PendingJob> pending = Head(turn, &all);
  turn.soft.blocked.reset();
  if (pending.empty()) return false;
  Plan plan = PlanPlacements(turn.soft.capacity, pending, {}, turn.now);
  bool checks = false;
  for (const Placement& placement : plan.placements) {
    const JobRow& job = turn.tables.jobs().Get(placement.job);
    std::set<NodeId> machines = NodesOf(placement);
    bool passed = job.check == CheckState::kPassed;
    if (passed && StoreServes(turn, job, machines)) {
      StartAttempt(turn, placement);
      continue;
    }
    checks = true;  // its slots stay with it in this plan and the next ones
    if (passed) {
      ProveStore(turn, job, machines);
    } else {
      CheckJob(turn, placement.job, placement.ranks.front().node);
    }
  }
  for (const Explanation& why : plan.why) {
    std::string holders = why.job == plan.blocked ? HoldersText(turn) : "";
    turn.Explain(why.job, Prefix(turn, why.job) + why.text + holders);
  }
  turn.soft.blocked = plan.blocked;
  return !plan.blocked && !checks && !all;
}

}  // namespace

void QueueGrew(Turn& turn, JobId job) {
  if (!turn.soft.blocked || turn.tables.waiting().size() <= kPlanAhead) {
    turn.soft.placement_due = true;
    return;
  }
  turn.Explain(job, Prefix(turn, job) + "first in, first out: more than " +
                        std::to_string(kPlanAhead) + " jobs are ahead of it");
}

void PlaceJobs(Turn& turn) {
  if (!turn.soft.placement_due) return;
  turn.soft.placement_due = false;
  RefreshCapacity(turn);
  while (PlaceSome(turn)) RefreshCapacity(turn);
}

std::string WhyNoOtherPlace(Turn& turn, JobId id) {
  RefreshCapacity(turn);
  PlacementView view = turn.soft.capacity;
  for (auto& [node, capacity] : view) {
    if (HasRanksOf(turn, node, id)) capacity = CapacityOf(turn, *turn.tables.FindNode(node), id);
  }
  bool all = true;
  std::vector<PendingJob> pending = Head(turn, &all);
  std::erase_if(pending, [&](const PendingJob& job) { return job.id >= id; });
  const JobRow& job = turn.tables.jobs().Get(id);
  pending.push_back(Pending(turn, id, job.request, HolderOf(turn, job)));
  Plan plan = PlanPlacements(std::move(view), pending, {}, turn.now);
  for (const Placement& placement : plan.placements) {
    if (placement.job == id) return "";
  }
  for (const Explanation& why : plan.why) {
    if (why.job == id) return why.text;
  }
  return "it does not fit";
}

std::string WhyNeverPlaced(Turn& turn, const JobRequest& request) {
  RefreshCapacity(turn);
  return WhyNever(turn.soft.capacity, Pending(turn, {}, request, std::nullopt));
}

std::set<NodeId> WouldRunOn(Turn& turn, const JobRequest& request) {
  RefreshCapacity(turn);
  std::optional<Holder> holder;
  if (!request.resume_node.empty()) holder = Holder{request.resume_node, true};
  PendingJob job = Pending(turn, {}, request, holder);
  Plan plan = PlanPlacements(turn.soft.capacity, {job}, {}, turn.now);
  return plan.placements.empty() ? std::set<NodeId>{} : NodesOf(plan.placements.front());
}

}  // namespace coxswain::coordinator::core
