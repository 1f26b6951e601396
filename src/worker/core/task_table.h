// Tasks on stores that this worker was asked to run: queued, running, and the last ones that ended
// (their results are told again when the order is repeated).
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "common/base/time.h"
#include "common/protocol/worker_messages.h"
#include "worker/core/connection.h"

namespace coxswain::worker::core {

struct TaskEntry {
  protocol::StartTask task;
  base::Incarnation incarnation;  // 0: queued
  bool process_ended = false;
  ConnectionId connection;
  std::optional<protocol::TaskEnded> result;
  bool told = false;                   // the result went out on a stream
  std::optional<base::Time> deadline;  // of a check
};

class TaskTable {
 public:
  static constexpr size_t kAtOnce = 2;
  static constexpr size_t kKeptResults = 64;

  TaskEntry* Find(base::TaskId task);
  TaskEntry* FindByConnection(ConnectionId connection);
  TaskEntry& Queue(protocol::StartTask task);
  // The next that may start now; nothing if none waits or kAtOnce processes run.
  TaskEntry* NextToStart();
  // Forgets the oldest results beyond kKeptResults.
  void Trim();
  std::map<base::TaskId, TaskEntry>& all() { return tasks_; }
  const std::map<base::TaskId, TaskEntry>& all() const { return tasks_; }

 private:
  std::map<base::TaskId, TaskEntry> tasks_;
  std::deque<base::TaskId> queue_;
};

}  // namespace coxswain::worker::core
