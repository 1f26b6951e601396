// What can happen to a worker: past-tense structs, stamped with both clocks by the shell.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "common/base/time.h"
#include "common/protocol/worker_messages.h"
#include "worker/core/connection.h"
#include "worker/core/gpu_facts.h"

namespace coxswain::worker::core {

// A stream to the coordinator is open; nothing has been said on it yet.
struct LinkConnected {};
struct LinkDisconnected {
  std::string reason;
  bool token_refused = false;
};
struct OrderReceived {
  base::Term term;
  protocol::WorkerOrder order;
};
// The rank's program has been executed.
struct RankRunning {
  protocol::RankKey key;
  base::Incarnation incarnation;
  int64_t pid = 0;
};
struct RankEnded {
  protocol::RankKey key;
  base::Incarnation incarnation;
  protocol::ExitRecord exit;
};
struct TrainerConnected {
  ConnectionId connection;
  TrainerIdentity identity;
};
struct TrainerReported {
  ConnectionId connection;
  protocol::TrainerReport report;
};
struct TrainerDisconnected {
  ConnectionId connection;
};
struct TaskReported {
  ConnectionId connection;
  protocol::TaskEnded ended;
};
struct TaskProcessEnded {
  base::TaskId task;
  base::Incarnation incarnation;
  protocol::ExitRecord exit;
};
struct GpusObserved {
  std::vector<GpuFacts> gpus;
  std::string note;  // why there are none
};
struct ConditionsObserved {
  std::vector<std::string> conditions;
  std::string why_no_work;  // empty: ranks and tasks can be started
};
// SIGTERM: the worker goes, its ranks stay.
struct StopRequested {};
// Whoever started this worker is gone: its ranks are to go too.
struct LifelineClosed {};
// NextDeadline() is due.
struct TimePassed {};

using EventBody = std::variant<LinkConnected, LinkDisconnected, OrderReceived, RankRunning,
                               RankEnded, TrainerConnected, TrainerReported, TrainerDisconnected,
                               TaskReported, TaskProcessEnded, GpusObserved, ConditionsObserved,
                               StopRequested, LifelineClosed, TimePassed>;

struct Event {
  base::Time now;
  base::WallTime wall;
  uint64_t entropy = 0;  // fresh random bits of the shell: incarnations of tasks are made of it
  EventBody body;
};

}  // namespace coxswain::worker::core
