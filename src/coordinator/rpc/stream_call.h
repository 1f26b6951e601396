// The life of one server stream. Messages are produced one at a time, on the work loop, and only
// when the client can take one: a slow client holds no queue, it gets the newest state later.
// Cancellation ends the call within one step, and frees all it holds.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <memory>
#include <mutex>
#include <optional>

#include "coordinator/rpc/work_loop.h"

namespace coxswain::coordinator::rpc {

// What a stream does next.
struct Step {
  enum Kind { kWrite, kWait, kEnd } kind = kWait;
  std::optional<base::Time> until{};  // of kWait: look again then, at the latest
  grpc::Status status{};              // of kEnd

  static Step Write() { return {.kind = kWrite}; }
  static Step Wait() { return {}; }
  static Step WaitUntil(base::Time when) { return {.kind = kWait, .until = when}; }
  static Step End(const grpc::Status& status) { return {.kind = kEnd, .status = status}; }
};

template <class Response>
class StreamCall : public grpc::ServerWriteReactor<Response>,
                   public std::enable_shared_from_this<StreamCall<Response>> {
 public:
  static grpc::ServerWriteReactor<Response>* Begin(const std::shared_ptr<StreamCall>& call) {
    call->self_ = call;
    call->Wake();
    return call.get();
  }

 protected:
  explicit StreamCall(WorkLoop* loop) : loop_(loop) {}

  // Fills the (empty) next message and says Write, or what else to do. On the work loop, one at a
  // time; after Write it is asked again, after Wait when Wake was called since, or the time is up.
  virtual Step Produce(Response* out) = 0;

  // Something may have changed. Any thread.
  void Wake() {
    std::lock_guard lock(mutex_);
    dirty_ = true;
    if (state_ == State::kIdle) Schedule();
  }

 private:
  enum class State { kIdle, kProducing, kWriting, kFinished };

  void Schedule() {
    state_ = State::kProducing;
    loop_->Post([self = this->shared_from_this()] { self->Run(); });
  }

  void Run() {
    {
      std::lock_guard lock(mutex_);
      if (cancelled_) return End(grpc::Status::CANCELLED);
      dirty_ = false;
    }
    message_.Clear();
    Step step = Produce(&message_);
    std::lock_guard lock(mutex_);
    if (cancelled_) return End(grpc::Status::CANCELLED);
    if (step.kind == Step::kEnd) return End(step.status);
    if (step.kind == Step::kWrite) {
      state_ = State::kWriting;
      return this->StartWrite(&message_);
    }
    if (dirty_) return Schedule();
    state_ = State::kIdle;
    if (step.until) {
      loop_->PostAt(*step.until, [weak = this->weak_from_this()] {
        if (auto self = weak.lock()) self->Wake();
      });
    }
  }

  void End(const grpc::Status& status) {
    state_ = State::kFinished;
    this->Finish(status);
  }

  void OnWriteDone(bool ok) override {
    std::lock_guard lock(mutex_);
    if (!ok || cancelled_) return End(grpc::Status::CANCELLED);
    Schedule();
  }
  void OnCancel() override {
    std::lock_guard lock(mutex_);
    cancelled_ = true;
    if (state_ == State::kIdle) End(grpc::Status::CANCELLED);
  }
  void OnDone() override { std::shared_ptr<StreamCall> self = std::move(self_); }

  WorkLoop* const loop_;
  Response message_;  // of the step under way
  std::mutex mutex_;
  State state_ = State::kIdle;  // guarded by mutex_
  bool dirty_ = false;          // guarded by mutex_
  bool cancelled_ = false;      // guarded by mutex_
  std::shared_ptr<StreamCall> self_;
};

// A stream that is over before it began.
template <class Response>
class RefusedStream final : public grpc::ServerWriteReactor<Response> {
 public:
  explicit RefusedStream(const grpc::Status& status) { this->Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace coxswain::coordinator::rpc
