#include "coordinator/core/handlers/store_work_handler.h"

#include "coordinator/core/handlers/resume_handler.h"
#include "coordinator/core/handlers/task_handler.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

constexpr size_t kCollectAtOnce = 32;
constexpr size_t kJobsAtOnce = 16;  // per turn; the others at the next one

bool Running(const Turn& turn, JobId job, protocol::TaskKind kind) {
  auto kinds = turn.soft.task_places.of_stores.find(job);
  return kinds != turn.soft.task_places.of_stores.end() && kinds->second.contains(kind);
}

// A file:// checkpoint can only be reached where it was written.
std::optional<NodeId> OnlyOn(const JobRow& job, const CheckpointRow& row) {
  if (!job.request.local_store || row.node.empty()) return std::nullopt;
  return row.node;
}

// What another job has yet to begin with stays until that lets it go (resume_handler.h).
std::vector<const CheckpointRow*> Collectable(const Turn& turn, JobId job) {
  std::vector<const CheckpointRow*> rows = turn.tables.checkpoints().OfJob(job);
  std::erase_if(rows, [](const CheckpointRow* row) { return !ToCollect(*row); });
  if (rows.empty()) return rows;
  std::set<std::string> needed = YetToBegin(turn);
  std::erase_if(rows, [&](const CheckpointRow* row) { return needed.contains(row->uri); });
  return rows;
}

// One order for as many as live in the same place, the oldest that can be reached among them: what
// is on a machine that is away, or gone for good, holds up nothing but itself. False: none can.
bool CollectSome(Turn& turn, const JobRow& job) {
  TaskSoft task{.kind = protocol::TaskKind::kCollect, .job = job.id};
  std::set<std::optional<NodeId>> away;
  std::optional<NodeId> place, node;
  std::string uris;
  for (const CheckpointRow* row : Collectable(turn, job.id)) {
    if (task.checkpoints.size() >= kCollectAtOnce) break;
    std::optional<NodeId> only = OnlyOn(job, *row);
    if (node ? only != place : away.contains(only)) continue;
    if (!node && !(node = NodeForTask(turn, only))) {
      away.insert(only);
      continue;
    }
    place = only;
    uris += (uris.empty() ? "" : ",") + JsonQuote(row->uri);
    task.checkpoints.push_back(row->id);
  }
  if (!node) return away.empty();
  task.node = *node;
  StartTask(turn, std::move(task), "{\"uris\":[" + uris + "]}", job.spec_yaml);
  return true;
}

const JobRow* FindJob(const Turn& turn, JobId job) {
  const JobRow* live = turn.tables.jobs().Find(job);
  return live != nullptr ? live : turn.tables.jobs().FindEnded(job);
}

// Newest first. While a job runs the newest will do; after its end, all that is kept is to be
// sound.
std::vector<const CheckpointRow*> ToVerify(const Turn& turn, const JobRow& job) {
  std::vector<const CheckpointRow*> rows = turn.tables.checkpoints().OfJob(job.id);
  std::vector<const CheckpointRow*> found;
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
    if ((*row)->state == CheckpointState::kVerified && !IsFinal(job.state)) break;
    if ((*row)->state == CheckpointState::kCommitted && !(*row)->collect) found.push_back(*row);
  }
  return found;
}

// False: something is left that no worker is free for.
bool WorkOn(Turn& turn, JobId id) {
  const JobRow* job = FindJob(turn, id);
  if (job == nullptr) return true;
  VerifyNewest(turn, id);
  bool left = !ToVerify(turn, *job).empty() && !Running(turn, id, protocol::TaskKind::kVerify);
  if (Running(turn, id, protocol::TaskKind::kCollect)) return !left;
  return CollectSome(turn, *job) && !left;
}

void TryLater(Turn& turn, JobId job) {
  turn.soft.store_work[job] = turn.now + turn.deadlines().TrainerReady();
  turn.soft.store_due.erase(job);
  turn.soft.store_timers.Wake(job, turn.soft.store_work[job]);
}

}  // namespace

// Now, though something else of this job may be waiting for its next try.
void WantStoreWork(Turn& turn, JobId job) {
  turn.soft.store_work[job] = turn.now;
  turn.soft.store_due.insert(job);
  turn.soft.store_timers.Cancel(job);
}

void DoStoreWork(Turn& turn) {
  std::set<JobId>& due = turn.soft.store_due;
  for (size_t done = 0; done < kJobsAtOnce && !due.empty(); ++done) {
    if (!NodeForTask(turn, std::nullopt)) return;  // all are busy or away
    JobId job = *due.begin();
    due.erase(due.begin());
    if (WorkOn(turn, job)) {
      turn.soft.store_work.erase(job);
    } else {
      TryLater(turn, job);
    }
  }
}

void MarkForCollection(Turn& turn, JobId job) {
  const JobRow* row = FindJob(turn, job);
  if (row == nullptr) return;
  for (const CheckpointRow* each :
       turn.tables.checkpoints().NotKept(job, row->request.keep_checkpoints)) {
    turn.EditRow(*each, [](CheckpointRow& changed) { changed.collect = true; });
    WantStoreWork(turn, job);
  }
}

void VerifyNewest(Turn& turn, JobId id) {
  const JobRow* job = FindJob(turn, id);
  if (job == nullptr || Running(turn, id, protocol::TaskKind::kVerify)) return;
  const CheckpointRow* newest = nullptr;
  std::optional<NodeId> node;
  for (const CheckpointRow* row : ToVerify(turn, *job)) {
    newest = row;
    if ((node = NodeForTask(turn, OnlyOn(*job, *row)))) break;
  }
  if (!node) return;
  std::string argument = "{\"uri\":" + JsonQuote(newest->uri) +
                         ",\"manifest_hash\":" + JsonQuote(newest->manifest_hash) + "}";
  StartTask(
      turn,
      {.kind = protocol::TaskKind::kVerify, .node = *node, .job = id, .checkpoints = {newest->id}},
      std::move(argument), job->spec_yaml);
}

void Verified(Turn& turn, const TaskSoft& task, const protocol::TaskEnded& end) {
  const CheckpointRow* found = turn.tables.checkpoints().Find(task.checkpoints.front());
  if (found == nullptr) return;  // with its job, by retention
  const CheckpointRow row = *found;
  if (row.state != CheckpointState::kCommitted) return WantStoreWork(turn, row.job);
  if (!end.ok && !end.user_error) return TryLater(turn, row.job);  // could not be read now
  turn.EditRow(row, [&](CheckpointRow& changed) {
    changed.state = end.ok ? CheckpointState::kVerified : CheckpointState::kCorrupt;
    changed.verified = end.ok ? turn.wall : WallTime{};
    changed.reason = end.ok ? "" : end.error;
  });
  std::string name = base::ToString(row.id) + " of " + StepText(row.step);
  turn.Note(end.ok ? "CheckpointVerified" : "CheckpointCorrupt",
            name + (end.ok ? ": every shard was read back and hashed" : ": " + end.error),
            {.job = row.job, .node = task.node, .generation = row.generation},
            end.ok ? "info" : "error");
  turn.TouchJob(row.job);
  if (const JobRow* job = turn.tables.jobs().Find(row.job); job != nullptr && end.ok) {
    LetGo(turn, *job);
  }
  MarkForCollection(turn, row.job);
  WantStoreWork(turn, row.job);
}

bool IsStoreWorkLeft(const Turn& turn, JobId id) {
  const JobRow* job = turn.tables.jobs().FindEnded(id);
  if (job == nullptr) return false;
  for (const CheckpointRow* row : turn.tables.checkpoints().OfJob(id)) {
    if (!ToCollect(*row)) continue;
    std::optional<NodeId> only = OnlyOn(*job, *row);
    if (!only || turn.tables.FindNode(*only) != nullptr) return true;
  }
  return false;
}

void Collected(Turn& turn, const TaskSoft& task, const protocol::TaskEnded& end) {
  if (!end.ok) return TryLater(turn, task.job);
  WantStoreWork(turn, task.job);
  std::string names;
  for (CheckpointId id : task.checkpoints) {
    const CheckpointRow* row = turn.tables.checkpoints().Find(id);
    if (row == nullptr) continue;
    names += (names.empty() ? "" : ", ") + base::ToString(id);
    turn.EditRow(*row, [](CheckpointRow& changed) { changed.state = CheckpointState::kDeleted; });
  }
  if (!names.empty()) turn.Note("CheckpointDeleted", names, {.job = task.job, .node = task.node});
}

}  // namespace coxswain::coordinator::core
