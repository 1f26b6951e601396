#include "worker/core/task_table.h"

#include <algorithm>
#include <utility>

namespace coxswain::worker::core {

TaskEntry* TaskTable::Find(base::TaskId task) {
  auto it = tasks_.find(task);
  return it == tasks_.end() ? nullptr : &it->second;
}

TaskEntry* TaskTable::FindByConnection(ConnectionId connection) {
  for (auto& [id, entry] : tasks_) {
    if (connection && entry.connection == connection) return &entry;
  }
  return nullptr;
}

TaskEntry& TaskTable::Queue(protocol::StartTask task) {
  base::TaskId id = task.task;
  queue_.push_back(id);
  TaskEntry& entry = tasks_[id];
  entry.task = std::move(task);
  return entry;
}

TaskEntry* TaskTable::NextToStart() {
  auto running = std::count_if(tasks_.begin(), tasks_.end(), [](const auto& t) {
    return t.second.incarnation && !t.second.process_ended;
  });
  if (queue_.empty() || static_cast<size_t>(running) >= kAtOnce) return nullptr;
  TaskEntry* entry = Find(queue_.front());
  queue_.pop_front();
  return entry;
}

void TaskTable::Trim() {
  auto over = [](const TaskEntry& entry) { return entry.process_ended && entry.told; };
  size_t kept = 0;
  for (auto it = tasks_.rbegin(); it != tasks_.rend(); ++it) kept += over(it->second);
  for (auto it = tasks_.begin(); it != tasks_.end() && kept > kKeptResults;) {
    if (over(it->second)) {
      it = tasks_.erase(it);
      --kept;
    } else {
      ++it;
    }
  }
}

}  // namespace coxswain::worker::core
