// Tasks on stores: cox-trainer --task, a process of its own that ends with its worker. What it
// finds is as trainer/task says it.
#pragma once

#include <map>

#include "sim/options.h"
#include "worker/core/decisions.h"

namespace coxswain::sim {

struct World;
class WorkerHost;

class TaskRunner {
 public:
  TaskRunner(World* world, WorkerHost* worker) : world_(*world), worker_(*worker) {}

  void Launch(const worker::core::LaunchTask& act);
  void Run(const worker::core::SendTask& act);  // its order has come
  void Acknowledge(const worker::core::AcknowledgeTask& act);
  void Stop(base::TaskId task) { End(task, 0, 9); }
  void KillOne();

 private:
  struct Process {
    protocol::StartTask task;
    base::Incarnation incarnation;
    worker::ConnectionId connection;
  };
  void Try(base::TaskId id, base::Time give_up);
  void Report(base::TaskId id, protocol::TaskEnded ended);
  protocol::TaskEnded Away(const protocol::StartTask& task) const;
  protocol::TaskEnded Result(const protocol::StartTask& task);
  protocol::TaskEnded Check(const protocol::StartTask& task);
  // The checkpoint to begin with, as trainer/task/resume_checker.cc looks at it.
  protocol::TaskEnded CheckResume(const protocol::StartTask& task, const JobPlan& job) const;
  protocol::TaskEnded Verify(const protocol::StartTask& task);
  protocol::TaskEnded Collect(const protocol::StartTask& task);
  void End(base::TaskId task, int code, int signal);

  World& world_;
  WorkerHost& worker_;
  std::map<base::TaskId, Process> processes_;
};

}  // namespace coxswain::sim
