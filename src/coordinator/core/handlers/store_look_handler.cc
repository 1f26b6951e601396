#include "coordinator/core/handlers/store_look_handler.h"

#include <algorithm>

#include "coordinator/core/handlers/shared_store_handler.h"
#include "coordinator/core/handlers/task_handler.h"
#include "coordinator/core/placement/gang_fit.h"
#include "coordinator/core/placement/placement_text.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

// So many that do not see a store say that it is the disk of one machine.
constexpr size_t kMostBlind = 3;

// It is draining, forgotten, or away for as long as a node may be.
bool IsGone(const Turn& turn, const JobSoft& job, const NodeId& id) {
  const NodeRow* row = turn.tables.FindNode(id);
  if (row == nullptr || row->draining) return true;
  auto node = turn.soft.nodes.find(id);
  Time since = job.waiting_since;
  if (node != turn.soft.nodes.end()) {
    if (node->second.reachable) return false;
    since = std::max(since, node->second.unreachable_since);
  }
  return turn.now - since >= turn.deadlines().NodeLostAfter();
}

// What the nodes that see it could hold of the gang, all of them free.
bool EnoughSee(const Turn& turn, const JobSoft& soft, const PendingJob& needs) {
  uint64_t room = 0;
  for (const NodeId& id : soft.store_place) {
    auto node = turn.soft.capacity.find(id);
    if (node == turn.soft.capacity.end() || !node->second.why_not.empty()) continue;
    if (soft.store_unseen.contains(id) || !HasLabels(node->second, needs)) continue;
    room += RoomOn(node->second, needs, Extent::kWhole);
  }
  return room >= needs.ranks;
}

// The node it is tied to is there, and others hold what it needs of it.
bool IsTaken(const Turn& turn, const PendingJob& needs) {
  if (!needs.local_store || !needs.only) return false;
  auto node = turn.soft.capacity.find(*needs.only);
  return node != turn.soft.capacity.end() && node->second.why_not.empty() &&
         RoomOn(node->second, needs, Extent::kFree) < needs.ranks;
}

// The one with the most room now, of those that could run a rank of it. `least`: room for so many.
std::optional<NodeId> NextToAsk(Turn& turn, const JobSoft& soft, const PendingJob& needs,
                                uint32_t least) {
  std::optional<NodeId> best;
  uint32_t most = 0;
  for (const auto& [id, node] : turn.soft.capacity) {
    if (!node.why_not.empty() || !HasLabels(node, needs)) continue;
    if (soft.store_unseen.contains(id) || soft.store_place.contains(id)) continue;
    if (RoomOn(node, needs, Extent::kWhole) == 0) continue;
    uint32_t room = RoomOn(node, needs, Extent::kFree);
    if (room < least || (best && room <= most)) continue;
    best = id;
    most = room;
  }
  return best ? NodeForTask(turn, *best) : std::nullopt;
}

// The machine that holds its checkpoints, or will if it saves now. A program may never save: it is
// tied once it has.
std::optional<NodeId> TiedTo(const Turn& turn, const JobRow& job, const NodeId& node) {
  std::optional<Holder> holder = HolderOf(turn, job);
  if (holder && SeenElsewhere(turn.soft, job, *holder)) return std::nullopt;
  if (holder && !holder->of_other_job) return holder->node;
  if (!holder && job.request.own_program) return std::nullopt;
  auto soft = turn.soft.jobs.find(job.id);
  if (soft != turn.soft.jobs.end() && soft->second.store_place.size() > 1) return std::nullopt;
  return turn.tables.attempts().Active(job.id) != nullptr ? std::optional(node) : std::nullopt;
}

}  // namespace

void LookElsewhere(Turn& turn, const JobRow& job, const PendingJob& needs) {
  if (!job.request.local_store) return;
  std::optional<Holder> holder = HolderOf(turn, job);
  if (!holder || !holder->checkpoint) return;
  JobSoft& soft = turn.soft.jobs[job.id];
  const bool gone = turn.soft.held.contains(job.id) || IsGone(turn, soft, holder->node);
  if (!gone && !IsTaken(turn, needs)) return;
  if (soft.check || soft.look_after > turn.now || soft.store_unseen.size() >= kMostBlind) return;
  if (gone && EnoughSee(turn, soft, needs)) return;
  // A node that is there will have room again: others are asked only if it could start there now.
  if (std::optional<NodeId> node = NextToAsk(turn, soft, needs, gone ? 0 : needs.ranks)) {
    LookFor(turn, job, holder->checkpoint, *node);
  }
}

void CheckpointLookedFor(Turn& turn, const TaskSoft& task, const protocol::TaskEnded& end,
                         bool lost) {
  JobSoft& soft = turn.soft.jobs[task.job];
  const NodeId& node = task.proof->machines.front();
  const CheckpointRow* row = turn.tables.checkpoints().Find(task.proof->checkpoint);
  if (row == nullptr) return;
  const std::string seen = turn.NodeName(node);
  const std::string theirs = "the job's checkpoints in its file:// store, which " +
                             turn.NodeName(row->node) + " has written";
  if (end.ok) {
    const bool known = soft.store_place.contains(node);  // of an attempt before: that was told
    StoreProven(turn, task.job, {row->node, node});
    if (known) return;
    turn.Note("StoreShared", seen + " sees " + theirs + ": the job may go on there",
              {.job = task.job, .node = node});
  } else if (end.user_error && !lost) {
    soft.store_place.erase(node);
    soft.store_unseen.insert(node);
    turn.soft.blind_nodes.insert(task.job);
    turn.Note("StoreNotShared", seen + " does not see " + theirs + ": the job is not started there",
              {.job = task.job, .node = node}, "warning");
  } else {
    soft.look_after = turn.now + turn.deadlines().lease;
    turn.Note("StoreNotShared",
              seen + " could not tell whether it sees " + theirs + ": " + end.error,
              {.job = task.job, .node = node}, "warning");
  }
}

std::string WhyTied(const Turn& turn, const JobRow& job, const NodeId& node) {
  if (!job.request.local_store || TiedTo(turn, job, node) != node) return "";
  const std::string& store =
      job.request.store.empty() ? turn.settings.default_store : job.request.store;
  return TiedText(store, "there");
}

}  // namespace coxswain::coordinator::core
