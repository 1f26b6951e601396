// The worker's one stream to its coordinator. Made by worker/rpc; used by the worker's loop.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "common/base/deadlines.h"
#include "common/base/ids.h"
#include "common/protocol/worker_messages.h"

namespace coxswain::worker {

struct CoordinatorSettings {
  std::string address;        // "HOST:PORT" of the coordinator's worker port
  std::string token;          // sent as `authorization: Bearer TOKEN`
  base::Deadlines deadlines;  // ReconnectFirst(), ReconnectLongest(): the back-off, with jitter
};

// Why there is no stream (any more).
struct LinkLoss {
  std::string reason;          // "127.0.0.1:7071: connection refused"; one line
  bool token_refused = false;  // UNAUTHENTICATED: another try is pointless until the token changes
};

// What a link tells its owner. Called on the link's own threads, one call at a time, in order; the
// callbacks must not block and must not call Stop.
struct CoordinatorEvents {
  // A stream is open: the owner's first Send after this must be the WorkerHello.
  std::function<void()> connected;
  std::function<void(base::Term term, protocol::WorkerOrder order)> order;
  // The stream broke, or a try to open one failed (then without `connected` before it). The link
  // tries again by itself, for ever; the back-off begins anew after an order has arrived.
  std::function<void(const LinkLoss& loss)> disconnected;
  // The queue has fallen below kLowWater after it had been above kHighWater.
  std::function<void()> drained;
};

// All calls are safe from any thread and never block (Stop aside).
class CoordinatorLink {
 public:
  static constexpr size_t kHighWater = 4u << 20;
  static constexpr size_t kLowWater = 1u << 20;

  virtual ~CoordinatorLink() = default;

  virtual void Start(CoordinatorEvents events) = 0;

  // Sends soon, in order. Dropped when there is no stream, and when the stream breaks: the owner
  // tells everything again in its next WorkerHello.
  virtual void Send(protocol::WorkerReport report) = 0;

  // About how many bytes wait to leave. The owner holds back log data and metric batches above
  // kHighWater; nothing else is ever held back.
  virtual size_t QueuedBytes() const = 0;

  // Gives this stream up (the coordinator breaks a rule, or is not ours yet); `disconnected`
  // follows with `reason`, and the link tries again after a back-off.
  virtual void Reconnect(const std::string& reason) = 0;

  // Ends the stream after what was sent has left, or after `limit`. No callback runs once it has
  // returned.
  virtual void Stop(base::Duration limit) = 0;
};

// In worker/rpc.
std::unique_ptr<CoordinatorLink> MakeCoordinatorLink(const CoordinatorSettings& settings);

}  // namespace coxswain::worker
