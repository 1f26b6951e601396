// What the worker's core wants done about an event, in this order: `persist` first, durably.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/protocol/worker_messages.h"
#include "worker/core/connection.h"

namespace coxswain::worker::core {

// Kept in the data folder for ever.
struct Identity {
  base::NodeId node;
  base::ClusterId cluster;  // empty until the first Welcome
  base::Term highest_term;
  friend bool operator==(const Identity&, const Identity&) = default;
};

// To the coordinator.
struct SendReport {
  protocol::WorkerReport report;
};
// Give this stream up and try again later.
struct DropStream {
  std::string reason;
};
// Write the rank's folder and start its shim. A failure comes back as RankEnded with code 127.
struct LaunchRank {
  protocol::StartRank start;
};
struct SignalRank {
  protocol::RankKey key;
  base::Incarnation incarnation;
  base::Duration grace{};
  bool jobs_grace = false;  // spec.grace of its job file instead, where that can be read
};
// The coordinator knows this exit: it is not told again after a restart of the worker.
struct RecordAcknowledgement {
  protocol::RankKey key;
  base::Incarnation incarnation;
};
struct SendToTrainer {
  ConnectionId connection;
  protocol::TrainerOrder order;
};
struct RefuseTrainer {
  ConnectionId connection;
  std::string reason;
};
struct LaunchTask {
  protocol::StartTask task;
  base::Incarnation incarnation;
};
struct SendTask {
  ConnectionId connection;
  protocol::StartTask task;
};
struct AcknowledgeTask {
  ConnectionId connection;
};
struct StopTask {
  base::TaskId task;
};
struct ServeLog {
  protocol::ReadLog request;
};
// A new coordinator session: open log requests of the last one are void, metric batches that were
// not acknowledged are sent (again).
struct BeginRelay {};
struct EndRelay {};
struct TrimMetrics {
  base::JobId job;
  uint64_t batch = 0;
};
// The job's folder may go after the retention time.
struct ForgetFolder {
  base::JobId job;
};
// End this process. `line` is for stderr; ranks that live go on.
struct Exit {
  int code = 0;
  std::string line;
};

using Act = std::variant<SendReport, DropStream, LaunchRank, SignalRank, RecordAcknowledgement,
                         SendToTrainer, RefuseTrainer, LaunchTask, SendTask, AcknowledgeTask,
                         StopTask, ServeLog, BeginRelay, EndRelay, TrimMetrics, ForgetFolder, Exit>;

struct Decisions {
  std::optional<Identity> persist;
  std::vector<Act> acts;
  std::vector<std::string> why;       // for the log; also why nothing was done
  std::vector<std::string> warnings;  // likewise: a person should look at it
};

}  // namespace coxswain::worker::core
