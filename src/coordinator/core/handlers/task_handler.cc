#include "coordinator/core/handlers/task_handler.h"

#include <algorithm>

#include "coordinator/core/handlers/store_work_handler.h"
#include "coordinator/core/handlers/submit_handler.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

constexpr size_t kTasksPerNode = 4;

void TaskResult(Turn& turn, TaskId id, const TaskSoft& task, const protocol::TaskEnded& end,
                bool lost) {
  switch (task.kind) {
    case protocol::TaskKind::kCheck:
      if (task.job) return JobChecked(turn, task, end, lost);
      return SubmissionChecked(turn, id, task, end, lost);
    case protocol::TaskKind::kVerify:
      return Verified(turn, task, end);
    case protocol::TaskKind::kCollect:
      return Collected(turn, task, end);
  }
}

int64_t LargestMemory(Turn& turn) {
  if (!turn.soft.task_places.largest_memory) {
    int64_t largest = 0;
    for (const auto& [id, row] : turn.tables.nodes()) {
      largest = std::max(largest, row.inventory.memory_bytes);
    }
    turn.soft.task_places.largest_memory = largest;
  }
  return *turn.soft.task_places.largest_memory;
}

// The largest machine, and how many ranks some machine must hold at least: what no placement can
// do better than. Nothing for jobs whose state is in the memory of GPUs.
std::string Machine(Turn& turn, const JobRequest& request) {
  if (request.gpus > 0) return "";
  uint64_t machines = turn.tables.nodes().size();
  int64_t memory = LargestMemory(turn);
  if (memory == 0) return "";
  uint64_t ranks = (request.workers + machines - 1) / machines;
  return ",\"machine\":{\"memory\":" + std::to_string(memory) +
         ",\"ranks\":" + std::to_string(ranks) + "}";
}

const char* Bool(bool value) { return value ? "true" : "false"; }

// The checkpoints to begin with. `elsewhere`: one in a file:// store may be on a machine that is
// not the one that looks.
std::string Resume(const Turn& turn, const CheckSubject& subject) {
  if (subject.resume_uri.empty()) return "";
  std::string list;
  auto add = [&](const std::string& uri, const std::string& hash) {
    list += std::string(list.empty() ? "" : ",") + "{\"uri\":" + JsonQuote(uri) +
            ",\"manifest_hash\":" + JsonQuote(hash) + "}";
  };
  for (const auto& each : subject.request.resume_from) add(each.uri, each.manifest_hash);
  if (subject.request.resume_from.empty()) add(subject.resume_uri, "");
  bool anywhere = subject.request.resume_node.empty() && turn.soft.sessions.size() > 1;
  bool elsewhere = subject.at_submit && (subject.elsewhere || anywhere) &&
                   subject.resume_uri.starts_with("file://");
  return ",\"resume\":{\"candidates\":[" + list +
         "],\"uncommitted\":" + Bool(subject.allow_uncommitted) +
         ",\"elsewhere\":" + Bool(elsewhere) + "}";
}

// How many it has, if it may be given more; draining ones are used where no other node can do it.
std::optional<size_t> TasksOf(const Turn& turn, const NodeId& id, bool draining) {
  auto node = turn.soft.nodes.find(id);
  const NodeRow* row = turn.tables.FindNode(id);
  if (node == turn.soft.nodes.end() || row == nullptr) return std::nullopt;
  if (!node->second.session || !node->second.reachable) return std::nullopt;
  if (!row->inventory.why_no_work.empty() || (row->draining && !draining)) return std::nullopt;
  return node->second.tasks.size();
}

void RefreshPlaces(Turn& turn) {
  for (const NodeId& id : turn.soft.task_places.stale) {
    if (std::optional<size_t> tasks = TasksOf(turn, id, false)) {
      turn.soft.task_places.Set(id, *tasks);
    } else {
      turn.soft.task_places.Remove(id);
    }
  }
  turn.soft.task_places.stale.clear();
}

bool IsStoreTask(const TaskSoft& task) {
  return task.job && task.kind != protocol::TaskKind::kCheck;
}

}  // namespace

std::optional<NodeId> NodeForTask(Turn& turn, const std::optional<NodeId>& only) {
  if (only) {
    std::optional<size_t> tasks = TasksOf(turn, *only, true);
    return tasks && *tasks < kTasksPerNode ? only : std::nullopt;
  }
  RefreshPlaces(turn);
  return turn.soft.task_places.LeastBusy(kTasksPerNode);
}

std::string WhyNoNodeForTask(const Turn& turn) {
  if (turn.soft.sessions.empty()) return "no worker is connected";
  std::string text = "no worker is free for it";
  for (const auto& [id, row] : turn.tables.nodes()) {
    if (row.inventory.why_no_work.empty()) continue;
    return text + " (" + turn.NodeName(id) + " is " + row.inventory.why_no_work + ")";
  }
  return text;
}

TaskId StartTask(Turn& turn, TaskSoft task, std::string argument, std::string spec_yaml) {
  TaskId id = turn.NextTask();
  Duration limit = task.kind == protocol::TaskKind::kCheck ? turn.deadlines().CheckTask()
                                                           : turn.deadlines().Collective();
  task.deadline = turn.now + limit;
  turn.soft.task_timers.Wake(id, task.deadline);
  turn.soft.nodes[task.node].tasks.insert(id);
  turn.soft.task_places.stale.insert(task.node);
  if (IsStoreTask(task)) turn.soft.task_places.of_stores[task.job].insert(task.kind);
  turn.Order(task.node,
             protocol::StartTask{id, task.kind, std::move(argument), std::move(spec_yaml)});
  turn.soft.tasks[id] = std::move(task);
  return id;
}

std::optional<TaskSoft> TakeTask(Turn& turn, TaskId id) {
  auto found = turn.soft.tasks.find(id);
  if (found == turn.soft.tasks.end()) return std::nullopt;
  TaskSoft task = std::move(found->second);
  turn.soft.tasks.erase(found);
  turn.soft.task_timers.Cancel(id);
  turn.soft.nodes[task.node].tasks.erase(id);
  turn.soft.task_places.stale.insert(task.node);
  if (IsStoreTask(task)) {
    auto kinds = turn.soft.task_places.of_stores.find(task.job);
    kinds->second.erase(task.kind);
    if (kinds->second.empty()) turn.soft.task_places.of_stores.erase(kinds);
  }
  turn.soft.placement_due = true;  // a check may have waited for this one
  return task;
}

void Handle(Turn& turn, const protocol::TaskEnded& report) {
  std::optional<TaskSoft> task = TakeTask(turn, report.task);
  if (task) TaskResult(turn, report.task, *task, report, false);
}

void LoseTask(Turn& turn, TaskId id, const std::string& why) {
  std::optional<TaskSoft> task = TakeTask(turn, id);
  if (!task) return;
  protocol::TaskEnded end{.task = id, .ok = false, .error = why, .user_error = false, .result = ""};
  TaskResult(turn, id, *task, end, true);
}

std::string CheckArgument(Turn& turn, const CheckSubject& subject) {
  bool multi_node = subject.request.workers > 1 && !subject.request.local_store;
  return "{\"spec_yaml\":" + JsonQuote(subject.spec_yaml) + ",\"multi_node\":" + Bool(multi_node) +
         ",\"at_submit\":" + Bool(subject.at_submit) + Machine(turn, subject.request) +
         Resume(turn, subject) + "}";
}

}  // namespace coxswain::coordinator::core
