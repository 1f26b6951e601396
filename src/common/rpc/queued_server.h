// The server's end of one bidirectional stream, with what waits to leave on it. A peer that reads
// nothing while too much waits is stuck: its stream is ended, it may come back. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "common/rpc/duplex_server.h"
#include "common/rpc/send_queue.h"

namespace coxswain::rpc {

template <class In, class Out>
class QueuedServer {
 public:
  using Call = DuplexServer<In, Out>;

  // `peer`: "the worker", for the status that a stuck one gets.
  explicit QueuedServer(std::string peer) : peer_(std::move(peer)) {}

  // Once, before all else; what gRPC wants as the reactor. `owner` holds this object and is kept
  // until the stream is over. The handlers are those of DuplexServer.
  Call* Begin(std::shared_ptr<void> owner, std::function<void(In&)> received,
              std::function<void()> ended) {
    auto next = [this](Out* out) {
      std::lock_guard lock(mutex_);
      return queue_.Pop(out);
    };
    auto last = [owner = std::move(owner), ended = std::move(ended)] { ended(); };
    call_ = Call::Make({std::move(received), std::move(next), [] {}, std::move(last)});
    Call* call = call_.get();
    call->Begin();
    return call;
  }

  void Send(Out message) {
    bool stuck = false;
    {
      std::lock_guard lock(mutex_);
      queue_.Push(SendQueue<Out>::Lane::kUrgent, std::move(message));
      stuck = queue_.bytes() > kStuckBytes;
    }
    if (stuck) {
      call_->Abort({grpc::StatusCode::RESOURCE_EXHAUSTED, peer_ + " reads nothing"});
    } else {
      call_->Kick();
    }
  }
  // The peer takes several messages in one from now on.
  void SendTogether() {
    std::lock_guard lock(mutex_);
    queue_.SendTogether();
  }
  // As DuplexServer's.
  void End(const grpc::Status& status) { call_->End(status); }
  void Abort(const grpc::Status& status) { call_->Abort(status); }

 private:
  static constexpr size_t kStuckBytes = 64u << 20;

  const std::string peer_;
  std::shared_ptr<Call> call_;
  std::mutex mutex_;
  SendQueue<Out> queue_;  // guarded by mutex_
};

}  // namespace coxswain::rpc
