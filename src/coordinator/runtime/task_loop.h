// A thread that runs what it is given, in order: answers and notifications, which must delay
// neither decisions nor commits.
#pragma once

#include <functional>
#include <thread>

#include "coordinator/runtime/work_queue.h"

namespace coxswain::coordinator::runtime {

class TaskLoop {
 public:
  TaskLoop() : thread_([this] { Run(); }) {}
  ~TaskLoop() { Stop(); }
  // After Stop: dropped.
  void Post(std::function<void()> task) { queue_.Push(std::move(task)); }
  // Runs what was posted before, then ends the thread.
  void Stop() {
    queue_.Close();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Run() {
    for (auto tasks = queue_.TakeAll(); !tasks.empty(); tasks = queue_.TakeAll()) {
      for (auto& task : tasks) task();
    }
  }

  WorkQueue<std::function<void()>> queue_;
  std::thread thread_;
};

}  // namespace coxswain::coordinator::runtime
