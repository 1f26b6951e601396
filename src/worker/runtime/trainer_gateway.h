// The worker's door for its trainers: a gRPC server on a Unix socket. Made by worker/rpc; used by
// the worker's loop. It knows no ranks: who may come in is the owner's decision.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/ids.h"
#include "common/protocol/worker_messages.h"
#include "worker/core/connection.h"

namespace coxswain::worker {

// What the gateway tells its owner. Called on the gateway's own threads, one call at a time for
// each connection, in order; the callbacks must not block and must not call Stop.
struct TrainerEvents {
  // The first for each connection. A hello of no common protocol range never gets here.
  std::function<void(ConnectionId, const TrainerIdentity&)> connected;
  std::function<void(ConnectionId, protocol::TrainerReport)> report;
  // To be answered with AcknowledgeMetrics once the points are on disk. `dropped`: points that the
  // trainer had to thin out before these.
  std::function<void(ConnectionId, uint64_t sequence, std::vector<protocol::MetricPoint> points,
                     uint64_t dropped)>
      metrics;
  std::function<void(ConnectionId, protocol::TaskEnded)> task_ended;
  // Where an archive of code is. UNAVAILABLE: it is being fetched; NOT_FOUND. At any time.
  std::function<absl::StatusOr<std::string>(const std::string& code)> find_code;
  // The last for each connection. The process may still live (its stream may come back).
  std::function<void(ConnectionId)> disconnected;
};

// All calls are safe from any thread and never block (Start and Stop aside). Calls for a connection
// that is gone are ignored.
class TrainerGateway {
 public:
  virtual ~TrainerGateway() = default;

  // Listens on `socket_path` (mode 0600; a socket file left by an earlier life is replaced). Paths
  // over 107 bytes are reached through /proc/self/fd of the open folder.
  virtual absl::Status Start(const std::string& socket_path, TrainerEvents events) = 0;

  virtual void Send(ConnectionId connection, protocol::TrainerOrder order) = 0;
  virtual void AcknowledgeMetrics(ConnectionId connection,
                                  uint64_t sequence) = 0;  // MetricsBuffered
  virtual void SendTask(ConnectionId connection, protocol::StartTask task) = 0;
  virtual void AcknowledgeTaskEnded(ConnectionId connection) = 0;

  // Ends the stream with PERMISSION_DENIED and `reason`: the process has been replaced and must
  // exit.
  virtual void Refuse(ConnectionId connection, const std::string& reason) = 0;

  // Ends all streams (UNAVAILABLE: the trainers wait for the worker's next life) and the server. No
  // callback runs once it has returned.
  virtual void Stop() = 0;
};

// In worker/rpc.
std::unique_ptr<TrainerGateway> MakeTrainerGateway();

}  // namespace coxswain::worker
