#include "coordinator/core/handlers/session_handler.h"

#include <algorithm>

#include "coordinator/core/handlers/admission.h"
#include "coordinator/core/handlers/attempt_handler.h"
#include "coordinator/core/handlers/checkpoint_handler.h"
#include "coordinator/core/handlers/generation_handler.h"
#include "coordinator/core/handlers/node_handler.h"
#include "coordinator/core/handlers/shared_store_handler.h"
#include "coordinator/core/handlers/task_handler.h"
#include "coordinator/core/handlers/trouble_handler.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

constexpr uint64_t kLeap = 1'000'000;

// A store older than what a worker has seen (restored from a backup) goes above it. Each start has
// a term of its own: a worker that obeyed this one before we spoke to it obeyed another life.
void RaiseAbove(Turn& turn, const protocol::WorkerHello& hello) {
  ClusterRow& cluster = turn.cluster();
  auto known = turn.soft.nodes.find(hello.node);
  bool spoken = (known != turn.soft.nodes.end() && known->second.connected) ||
                turn.soft.forgotten.contains(hello.node);
  if (hello.highest_term > cluster.term || (hello.highest_term == cluster.term && !spoken)) {
    turn.Note("TermRaised",
              "a worker has seen term " + std::to_string(hello.highest_term.value) +
                  (hello.highest_term == cluster.term
                       ? ", which is ours, and we have not spoken to it: "
                       : ", ours is " + std::to_string(cluster.term.value) + ": ") +
                  "the store was restored from an older copy; going on above it",
              {.job = {}, .node = hello.node}, "warning");
    cluster.term = hello.highest_term.Next();
    // What the lost life numbered is still on its way, or remembered by ranks and workers.
    cluster.last_checkpoint.value += kLeap;
    cluster.last_task.value += kLeap;
  }
  for (const protocol::RankReport& rank : hello.ranks) {
    if (rank.key.job > cluster.last_job) cluster.last_job = rank.key.job;
    const JobRow* job = turn.tables.jobs().Find(rank.key.job);
    if (job != nullptr && rank.ready && rank.ready->generation > job->generation) {
      turn.EditJob(job->id, [&](JobRow& row) { row.generation = rank.ready->generation; });
    }
  }
}

// GPUs at which a worker that has just begun has not looked yet are still there, and cannot be
// given out. One that has none, or offers none, says why.
std::vector<protocol::GpuInfo> GpusOf(const NodeRow& known, const protocol::Inventory& told) {
  if (!told.gpus.empty() || !told.gpu_note.empty()) return told.gpus;
  std::vector<protocol::GpuInfo> gpus = known.inventory.gpus;
  for (protocol::GpuInfo& gpu : gpus) {
    gpu.available = false;
    gpu.why_not = "its worker has just begun and has not looked at it yet";
  }
  return gpus;
}

void NoteIfBlocked(Turn& turn, const NodeId& id, const std::string& before,
                   const std::string& now) {
  if (before.empty() == now.empty()) return;
  std::string name = turn.NodeName(id);
  if (now.empty()) {
    return turn.Note("NodeUnblocked", name + " can be given work again", {.job = {}, .node = id});
  }
  turn.Note("NodeBlocked", name + " gets no new work: it is " + now, {.job = {}, .node = id},
            "warning");
}

void WriteNode(Turn& turn, const NodeId& id, const protocol::Inventory& inventory) {
  NodeRow row;
  if (const NodeRow* old = turn.tables.FindNode(id)) row = *old;
  NodeRow old = row;
  row.id = id;
  row.name = inventory.name.empty() ? id.value : inventory.name;
  row.inventory = inventory;
  row.inventory.gpus = GpusOf(old, inventory);
  if (!row.first_seen) row.first_seen = turn.wall;
  if (!(row == old)) turn.Persist(row);
  if (row.inventory.memory_bytes != old.inventory.memory_bytes)
    turn.soft.task_places.largest_memory.reset();
  NoteIfBlocked(turn, id, old.inventory.why_no_work, row.inventory.why_no_work);
  turn.TouchNode(id);
  turn.soft.placement_due = true;
}

// Another machine of that name makes `cox drain NAME` ambiguous, and lists hard to read. Empty:
// there is none.
std::string NameTakenText(const Turn& turn, const protocol::WorkerHello& hello) {
  const std::string& name = hello.inventory.name;
  if (name.empty()) return "";
  const NodeId* other = nullptr;
  bool there = false;
  for (const NodeId& id : turn.tables.NodesNamed(name)) {
    if (id == hello.node || there) continue;
    auto soft = turn.soft.nodes.find(id);
    there = soft != turn.soft.nodes.end() && soft->second.reachable;
    if (there || other == nullptr) other = &id;
  }
  if (other == nullptr) return "";
  const std::string& address = turn.tables.FindNode(*other)->inventory.address;
  return "a second node is called " + name + ": " + hello.node.value + " has connected, " +
         other->value + (address.empty() ? "" : " at " + address) +
         (there ? " is connected too" : " is not connected") +
         "; if it is the same machine with another data directory, go back to the first one, else "
         "give one of them another name (cox-worker --name)" +
         (there ? "" : ", or forget the other (cox nodes --forget " + other->value + ")");
}

bool IsWanted(const Turn& turn, const protocol::RankKey& key, Incarnation incarnation,
              const NodeId& node) {
  const RankRow* row = turn.tables.ranks().Find(key);
  return row != nullptr && !row->exit && row->incarnation == incarnation && row->node == node;
}

void StopLeftover(Turn& turn, const NodeId& node, const protocol::RankKey& key) {
  turn.soft.nodes[node].leftovers.insert(key);
  turn.TouchNode(node);
  // Its job need not be in memory any more: its grace is in the file that the worker has of it.
  const JobRow* job = turn.tables.jobs().Find(key.job);
  Duration grace = job == nullptr ? turn.deadlines().StopGrace() : JobGrace(turn, *job);
  turn.Order(node, protocol::StopRank{key, grace, "it was replaced, or its job has ended", true});
}

void DropLeftover(Turn& turn, const NodeId& node, const protocol::RankKey& key) {
  if (turn.soft.nodes[node].leftovers.erase(key) == 0) return;
  turn.TouchNode(node);
  turn.soft.placement_due = true;
}

void TakeStarted(Turn& turn, const RankRow& rank, int64_t pid) {
  if (pid == 0 || rank.pid == pid) return;
  turn.EditRow(rank, [&](RankRow& row) { row.pid = pid; });
  turn.TouchJob(rank.key.job);
}

// A process of a rank has ended, wanted or not.
void TakeExit(Turn& turn, const NodeId& node, const protocol::RankKey& key, Incarnation incarnation,
              const protocol::ExitRecord& exit) {
  DropLeftover(turn, node, key);
  turn.Order(node, protocol::AcknowledgeExit{key, incarnation});
  if (IsWanted(turn, key, incarnation, node)) return EndRank(turn, key, exit);
  if (turn.tables.jobs().Find(key.job) == nullptr) turn.Order(node, protocol::ForgetJob{key.job});
}

void TakeReport(Turn& turn, const NodeId& node, const protocol::RankReport& report) {
  if (report.exit) return TakeExit(turn, node, report.key, report.incarnation, *report.exit);
  if (!IsWanted(turn, report.key, report.incarnation, node)) {
    return StopLeftover(turn, node, report.key);
  }
  const RankRow& rank = *turn.tables.ranks().Find(report.key);
  TakeStarted(turn, rank, report.pid);
  if (rank.stop_requested) {
    const JobRow& job = turn.tables.jobs().Get(report.key.job);
    turn.Order(node, protocol::StopRank{report.key, JobGrace(turn, job), "it was told to stop"});
  } else {
    CatchUp(turn, rank, report.ready);
  }
}

// What was placed on a node may be too much for the machine that comes with its id now: its worker
// was given fewer slots, or its identity was moved to another machine. Empty: it holds it all.
std::string WhyTooMuch(const Turn& turn, const RankRow& rank) {
  const protocol::Inventory& has = turn.tables.FindNode(rank.node)->inventory;
  uint64_t cpus = 0;
  for (const protocol::RankKey& key : turn.tables.ranks().OnNode(rank.node)) {
    cpus += turn.tables.ranks().Find(key)->cpus;
  }
  if (cpus > has.cpu_slots) {
    return "has " + Plural(has.cpu_slots, "CPU slot") + " now, and was given ranks for " +
           std::to_string(cpus);
  }
  for (const std::string& uuid : rank.gpu_uuids) {
    bool here = std::any_of(has.gpus.begin(), has.gpus.end(),
                            [&](const protocol::GpuInfo& gpu) { return gpu.uuid == uuid; });
    if (!here) return "does not have " + uuid + " any more";
  }
  return "";
}

// A rank that should be there and is not.
void MissRank(Turn& turn, const protocol::RankKey& key) {
  const RankRow& rank = *turn.tables.ranks().Find(key);
  bool never_began = rank.pid == 0 && !rank.stop_requested;
  std::string too_much = never_began ? WhyTooMuch(turn, rank) : "";
  if (never_began && too_much.empty()) {
    // It may have been heard of before it was known to be started, by a life that a backup undid.
    turn.EditRow(rank, [](RankRow& row) { row.state = protocol::RankState::kStarting; });
    return SendStartRank(turn, rank);
  }
  protocol::ExitRecord lost;
  lost.code = protocol::kExitInfrastructure;
  lost.stopped_by_us = rank.stop_requested;
  lost.ended = turn.wall;
  lost.note = never_began ? "was not started: its machine " + too_much
              : rank.pid == 0
                  ? "was stopped before it was started"
                  : std::string(kLost) + " by its worker: no process and no exit record";
  EndRank(turn, key, lost);
}

void TakeDifference(Turn& turn, const protocol::WorkerHello& hello) {
  std::set<protocol::RankKey> has;
  for (const protocol::RankReport& report : hello.ranks) {
    if (IsWanted(turn, report.key, report.incarnation, hello.node)) has.insert(report.key);
  }
  std::vector<protocol::RankKey> missed;
  for (const protocol::RankKey& key : turn.tables.ranks().OnNode(hello.node)) {
    if (!has.contains(key)) missed.push_back(key);
  }
  for (const protocol::RankReport& report : hello.ranks) TakeReport(turn, hello.node, report);
  for (const protocol::RankKey& key : missed) {
    const RankRow* rank = turn.tables.ranks().Find(key);
    if (rank != nullptr && !rank->exit) MissRank(turn, key);
  }
}

void EndSession(Turn& turn, SessionId session, const std::string& why) {
  auto found = turn.soft.sessions.find(session);
  if (found == turn.soft.sessions.end()) return;
  NodeSoft& node = turn.soft.nodes[found->second];
  turn.TouchNode(found->second);
  turn.soft.sessions.erase(found);
  node.session = {};
  std::set<TaskId> tasks = node.tasks;
  for (TaskId task : tasks) LoseTask(turn, task, why);
}

void On(Turn& turn, SessionId, const NodeId& node, const protocol::Heartbeat& report) {
  if (report.changed_inventory) WriteNode(turn, node, *report.changed_inventory);
}

void On(Turn& turn, SessionId, const NodeId& node, const protocol::RankStarted& report) {
  if (!IsWanted(turn, report.key, report.incarnation, node)) {
    return StopLeftover(turn, node, report.key);
  }
  TakeStarted(turn, *turn.tables.ranks().Find(report.key), report.pid);
}

void On(Turn& turn, SessionId, const NodeId& node, const protocol::RankExited& report) {
  TakeExit(turn, node, report.key, report.incarnation, report.exit);
}

template <class Report>
concept AboutCheckpoint = requires(Turn& turn, const TrainerSender& from, const Report& report) {
  Handle(turn, from, report);
};

void On(Turn& turn, SessionId session, const NodeId& node, const protocol::FromTrainer& report) {
  const RankRow* rank = turn.tables.ranks().Find(report.key);
  const AttemptRow* attempt = turn.tables.attempts().Active(report.key.job);
  bool lives = IsWanted(turn, report.key, report.incarnation, node) && attempt != nullptr &&
               attempt->number == report.key.attempt;
  TrainerSender from{session, node, report.key, report.incarnation, lives ? rank : nullptr};
  std::visit(
      [&](const auto& body) {
        if constexpr (AboutCheckpoint<std::decay_t<decltype(body)>>) {
          Handle(turn, from, body);
        } else if (lives) {
          Handle(turn, *rank, body);
        }
      },
      report.report);
}

void On(Turn& turn, SessionId, const NodeId&, const protocol::TaskEnded& report) {
  Handle(turn, report);
}

void On(Turn& turn, SessionId, const NodeId& node, const protocol::Leaving&) {
  turn.soft.nodes[node].left = true;
  LoseContact(turn, node, "its worker is shutting down; its ranks go on");
}

// Not for the core: hello comes as WorkerConnected, metrics and log data bypass it.
void On(Turn&, SessionId, const NodeId&, const protocol::WorkerHello&) {}
void On(Turn&, SessionId, const NodeId&, const protocol::MetricBatch&) {}
void On(Turn&, SessionId, const NodeId&, const protocol::LogData&) {}

}  // namespace

void Handle(Turn& turn, const WorkerConnected& event) {
  const protocol::WorkerHello& hello = event.hello;
  if (std::optional<protocol::Rejected> rejected = WhyRejected(turn, hello)) {
    return turn.OrderSession(event.session, *rejected, true);
  }
  NodeSoft& node = turn.soft.nodes[hello.node];
  if (node.session) {
    // Whoever is at its other end (a machine with the same identity, say) is to come again.
    std::string why = "another stream with this worker's id (" + hello.node.value + ") has begun";
    turn.OrderSession(node.session, protocol::Rejected{why, false}, true);
    EndSession(turn, node.session, "its worker has connected anew");
  }
  RaiseAbove(turn, hello);
  const NodeRow* known = turn.tables.FindNode(hello.node);
  bool is_new = known == nullptr;
  const std::string name_taken = NameTakenText(turn, hello);
  if (!name_taken.empty() && (is_new || known->name != hello.inventory.name)) {
    turn.Note("NodeNameTaken", name_taken, {.job = {}, .node = hello.node}, "warning");
  }
  WriteNode(turn, hello.node, hello.inventory);
  turn.soft.sessions[event.session] = hello.node;
  node.session = event.session;
  node.incarnation = hello.incarnation;
  node.connected = turn.wall;
  node.left = false;
  node.leftovers.clear();
  turn.TouchNode(hello.node);
  LookAgain(turn, hello.node);
  turn.OrderSession(event.session, protocol::Welcome{turn.cluster().id, turn.cluster().term,
                                                     turn.deadlines().lease, name_taken});
  RenewLease(turn, hello.node, is_new);
  TakeDifference(turn, hello);
}

void Handle(Turn& turn, const WorkerDisconnected& event) {
  EndSession(turn, event.session, "its worker has disconnected: " + event.reason);
  turn.soft.placement_due = true;
}

void Handle(Turn& turn, const WorkerReported& event) {
  auto found = turn.soft.sessions.find(event.session);
  if (found == turn.soft.sessions.end()) return;  // replaced by a newer stream
  const NodeId node = found->second;
  if (!turn.soft.nodes[node].left) RenewLease(turn, node, false);
  std::visit([&](const auto& report) { On(turn, event.session, node, report); }, event.report);
}

}  // namespace coxswain::coordinator::core
