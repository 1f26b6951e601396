#include "coordinator/core/handlers/store_work_handler.h"

#include "coordinator/core/handlers/task_handler.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

constexpr size_t kCollectAtOnce = 32;

bool Running(const Turn& turn, JobId job, protocol::TaskKind kind) {
  for (const auto& [id, task] : turn.soft.tasks) {
    if (task.job == job && task.kind == kind) return true;
  }
  return false;
}

// A file:// checkpoint can only be reached where it was written.
std::optional<NodeId> OnlyOn(const JobRow& job, const CheckpointRow& row) {
  if (!job.request.local_store || row.node.empty()) return std::nullopt;
  return row.node;
}

// One order for as many as live in the same place. False: no worker is free.
bool CollectSome(Turn& turn, const JobRow& job) {
  TaskSoft task{.kind = protocol::TaskKind::kCollect, .job = job.id};
  std::optional<NodeId> place;
  std::string uris;
  for (const CheckpointRow* row : turn.tables.checkpoints().OfJob(job.id)) {
    if (!ToCollect(*row) || task.checkpoints.size() >= kCollectAtOnce) continue;
    if (!task.checkpoints.empty() && OnlyOn(job, *row) != place) continue;
    place = OnlyOn(job, *row);
    uris += (uris.empty() ? "" : ",") + JsonQuote(row->uri);
    task.checkpoints.push_back(row->id);
  }
  if (task.checkpoints.empty()) return true;
  std::optional<NodeId> node = NodeForTask(turn, place);
  if (!node) return false;
  task.node = *node;
  StartTask(turn, std::move(task), "{\"uris\":[" + uris + "]}", job.spec_yaml);
  return true;
}

const CheckpointRow* NewestCommitted(const Turn& turn, JobId job) {
  std::vector<const CheckpointRow*> rows = turn.tables.checkpoints().OfJob(job);
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
    if ((*row)->state == CheckpointState::kVerified) return nullptr;
    if ((*row)->state == CheckpointState::kCommitted && !(*row)->collect) return *row;
  }
  return nullptr;
}

// False: something is left that no worker is free for.
bool WorkOn(Turn& turn, JobId job) {
  const JobRow* live = turn.tables.jobs().Find(job);
  const JobRow* row = live != nullptr ? live : turn.tables.jobs().FindEnded(job);
  if (row == nullptr) return true;
  if (live != nullptr) VerifyNewest(turn, job);
  bool left = live != nullptr && NewestCommitted(turn, job) != nullptr &&
              !Running(turn, job, protocol::TaskKind::kVerify);
  if (Running(turn, job, protocol::TaskKind::kCollect)) return !left;
  return CollectSome(turn, *row) && !left;
}

void TryLater(Turn& turn, JobId job) {
  turn.soft.store_work[job] = turn.now + turn.deadlines().TrainerReady();
  turn.soft.store_timers.Wake(job, turn.soft.store_work[job]);
}

}  // namespace

void WantStoreWork(Turn& turn, JobId job) { turn.soft.store_work.try_emplace(job, turn.now); }

void DoStoreWork(Turn& turn) {
  if (turn.soft.store_work.empty()) return;
  std::vector<JobId> jobs;
  for (const auto& [job, not_before] : turn.soft.store_work) {
    if (not_before <= turn.now) jobs.push_back(job);
  }
  for (JobId job : jobs) {
    if (!NodeForTask(turn, std::nullopt)) return;  // all are busy or away
    if (WorkOn(turn, job)) {
      turn.soft.store_work.erase(job);
    } else {
      TryLater(turn, job);
    }
  }
}

void MarkForCollection(Turn& turn, JobId job) {
  uint32_t keep = std::max<uint32_t>(1, turn.tables.jobs().Get(job).request.keep_checkpoints);
  std::vector<const CheckpointRow*> rows = turn.tables.checkpoints().OfJob(job);
  uint32_t verified = 0;
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
    const CheckpointRow& each = **row;
    if (each.state == CheckpointState::kVerified && ++verified <= keep) continue;
    // Newer than enough verified ones: still needed, or on its way.
    bool behind = verified >= keep;
    if (each.final || !behind || each.state == CheckpointState::kOpen || each.collect) continue;
    turn.EditRow(each, [](CheckpointRow& changed) { changed.collect = true; });
    WantStoreWork(turn, job);
  }
}

void VerifyNewest(Turn& turn, JobId job) {
  const JobRow& row = turn.tables.jobs().Get(job);
  const CheckpointRow* newest = NewestCommitted(turn, job);
  if (newest == nullptr || Running(turn, job, protocol::TaskKind::kVerify)) return;
  std::optional<NodeId> node = NodeForTask(turn, OnlyOn(row, *newest));
  if (!node) return;
  std::string argument = "{\"uri\":" + JsonQuote(newest->uri) +
                         ",\"manifest_hash\":" + JsonQuote(newest->manifest_hash) + "}";
  StartTask(turn,
            {.kind = protocol::TaskKind::kVerify,
             .node = *node,
             .job = job,
             .checkpoints = {newest->id},
             .verifying = *newest},
            std::move(argument), row.spec_yaml);
}

void Verified(Turn& turn, const TaskSoft& task, const protocol::TaskEnded& end) {
  const CheckpointRow* found = turn.tables.checkpoints().Find(task.verifying.id);
  const CheckpointRow row = found != nullptr ? *found : task.verifying;
  bool live = turn.tables.jobs().Find(row.job) != nullptr;
  if (row.state != CheckpointState::kCommitted) return;
  if (!end.ok && !end.user_error) {  // could not be read now
    if (live) TryLater(turn, row.job);
    return;
  }
  turn.EditRow(row, [&](CheckpointRow& changed) {
    changed.state = end.ok ? CheckpointState::kVerified : CheckpointState::kCorrupt;
    changed.verified = end.ok ? turn.wall : WallTime{};
    changed.reason = end.ok ? "" : end.error;
  });
  std::string name = base::ToString(row.id) + " of step " + std::to_string(row.step);
  turn.Note(end.ok ? "CheckpointVerified" : "CheckpointCorrupt",
            name + (end.ok ? ": every shard was read back and hashed" : ": " + end.error),
            {.job = row.job, .node = task.node, .generation = row.generation},
            end.ok ? "info" : "error");
  if (!live) return;
  turn.TouchJob(row.job);
  MarkForCollection(turn, row.job);
  WantStoreWork(turn, row.job);
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
