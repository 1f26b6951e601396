// The client's end of one bidirectional call: one life, pulled messages, no thread of its own.
//
// Messages are pulled: `next` is asked whenever the stream can take one, so the owner's queue
// decides what leaves first, and outlives the call. Handlers run on gRPC's threads and must not
// block; none runs after `ended`. `received` and `ended` come one at a time; `next` may come at the
// same time as they do, and is called under this object's lock: it must not call back.
//
// The owner keeps the call until `ended` has come, and lets go of it on a thread of its own, never
// in a handler: the last owner of a channel waits for gRPC's threads, so one of those cannot be it.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <functional>
#include <memory>
#include <mutex>

namespace coxswain::rpc {

template <class Up, class Down>
class DuplexClient final : public grpc::ClientBidiReactor<Up, Down> {
 public:
  struct Handlers {
    std::function<void()> opened;  // the server has taken the call
    std::function<void(Down&)> received;
    std::function<bool(Up*)> next;  // fills an empty message; false: nothing to send now
    std::function<void()> wrote;    // one message has left
    std::function<void(const grpc::Status&)> ended;  // always, last
  };
  // Starts the call on a stub: `stub->async()->Connect(context, reactor)`.
  using Bind = std::function<void(grpc::ClientContext*, DuplexClient*)>;

  static std::shared_ptr<DuplexClient> Make(Handlers handlers) {
    return std::shared_ptr<DuplexClient>(new DuplexClient(std::move(handlers)));
  }
  // Once. `prepare` sets up the context (token, deadline). Before `opened` only Cancel may be
  // called.
  void Begin(const std::function<void(grpc::ClientContext*)>& prepare, const Bind& bind) {
    prepare(&context_);
    bind(&context_, this);
    this->AddHold();  // for writes begun by Kick, until there will be no more
    this->StartRead(&down_);
    this->StartCall();
  }

  // There may be something to send.
  void Kick() {
    std::lock_guard lock(mutex_);
    Pump();
  }
  // Ends the sending side once `next` has nothing more; the server then ends the call.
  void Close() {
    std::lock_guard lock(mutex_);
    closing_ = true;
    Pump();
  }
  void Cancel() { context_.TryCancel(); }

 private:
  explicit DuplexClient(Handlers handlers) : handlers_(std::move(handlers)) {}

  void Pump() {
    if (writing_ || done_) return;
    up_.Clear();
    if (handlers_.next(&up_)) {
      writing_ = true;
      this->StartWrite(&up_);
    } else if (closing_) {
      this->StartWritesDone();
      NoMoreWrites();
    }
  }
  void NoMoreWrites() {
    if (done_) return;
    done_ = true;
    this->RemoveHold();
  }

  void OnReadInitialMetadataDone(bool ok) override {
    if (ok) handlers_.opened();
  }
  void OnReadDone(bool ok) override {
    if (!ok) {
      std::lock_guard lock(mutex_);
      return NoMoreWrites();
    }
    handlers_.received(down_);
    down_.Clear();
    this->StartRead(&down_);
  }
  void OnWriteDone(bool ok) override {
    if (ok) handlers_.wrote();
    std::lock_guard lock(mutex_);
    writing_ = false;
    if (ok) {
      Pump();
    } else {
      NoMoreWrites();
    }
  }
  void OnDone(const grpc::Status& status) override {
    auto ended = std::move(handlers_.ended);
    ended(status);  // this object may be gone now
  }

  Handlers handlers_;
  grpc::ClientContext context_;
  Down down_;
  std::mutex mutex_;
  Up up_;                 // guarded while not writing_
  bool writing_ = false;  // guarded by mutex_
  bool closing_ = false;  // guarded by mutex_
  bool done_ = false;     // guarded by mutex_: nothing may be started any more, the hold is gone
};

}  // namespace coxswain::rpc
