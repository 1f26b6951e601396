// The trainer's one door to the coordinator, through its worker. Made by trainer/rpc (gRPC on the
// worker's Unix socket) or by LocalLink (--standalone).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/ids.h"
#include "common/protocol/trainer_messages.h"
#include "common/protocol/worker_messages.h"

namespace coxswain::trainer {

// What a rank's process is told by its worker, from the environment.
struct LinkSettings {
  std::string socket;             // COXSWAIN_SOCKET: path of the worker's Unix socket
  protocol::RankKey key;          // COXSWAIN_RANK_KEY: "j12/2/0": job, attempt, rank
  base::Incarnation incarnation;  // COXSWAIN_INCARNATION
};

// What a link tells its owner. Called on the link's own threads, one call at a time, in order; the
// callbacks must not block and must not call Stop.
struct LinkEvents {
  std::function<void(const protocol::TrainerOrder&)> order;
  // A stream is open again (also the first time): what is "until answered" is to be sent again.
  std::function<void()> connected;
  // The worker says that this process has been replaced (PERMISSION_DENIED), or speaks no common
  // protocol: the trainer must exit. One line, for the log.
  std::function<void(const std::string& reason)> refused;
};

// All calls are safe from any thread and never block (Stop and Flush aside).
class TrainerLink {
 public:
  virtual ~TrainerLink() = default;

  // Connects, and reconnects by itself with back-off (Deadlines::ReconnectFirst/Longest) for ever.
  virtual void Start(LinkEvents events) = 0;

  // Sends soon, in order. While there is no stream it is dropped, the newest TrainerProgress aside:
  // the core repeats what must arrive. A TrainerProgress that has not left yet is replaced by a
  // newer one.
  virtual void SendReport(protocol::TrainerReport report) = 0;

  // Takes points over and keeps them until the worker says that they are on its disk; they are sent
  // again after a reconnection. When more than `kPointLimit` wait, the oldest are thinned out and
  // counted as dropped; the caller is never held up.
  virtual void SendMetrics(std::vector<protocol::MetricPoint> points) = 0;
  static constexpr size_t kPointLimit = 100'000;

  // Waits until all reports and points given so far have been taken by the worker, at most `limit`.
  // Returns false if some were not.
  virtual bool Flush(base::Duration limit) = 0;

  // Ends the stream. No callback runs once it has returned.
  virtual void Stop() = 0;
};

// Where the worker has the code of a job (spec.code), once it has it. Blocks for a second or so.
// UNAVAILABLE: not yet, and what holds it up; NOT_FOUND: the coordinator does not have it either.
using FindCode = std::function<absl::StatusOr<std::string>(const std::string& code)>;

// In trainer/rpc.
FindCode MakeFindCode(const LinkSettings& settings);
std::unique_ptr<TrainerLink> MakeWorkerLink(const LinkSettings& settings);

}  // namespace coxswain::trainer
