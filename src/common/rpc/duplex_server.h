// The server's end of one bidirectional call: the same rules as duplex_client.h.
#pragma once

#include <grpcpp/support/server_callback.h>
#include <grpcpp/support/status.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

namespace coxswain::rpc {

template <class In, class Out>
class DuplexServer final : public grpc::ServerBidiReactor<In, Out>,
                           public std::enable_shared_from_this<DuplexServer<In, Out>> {
 public:
  struct Handlers {
    std::function<void(In&)> received;
    std::function<bool(Out*)> next;  // fills an empty message; false: nothing to send now
    std::function<void()> wrote;
    std::function<void()> ended;  // always, last
  };

  static std::shared_ptr<DuplexServer> Make(Handlers handlers) {
    return std::shared_ptr<DuplexServer>(new DuplexServer(std::move(handlers)));
  }
  // Once: takes the call at once (the client's `opened`). It keeps itself until `ended` has
  // returned.
  void Begin() {
    self_ = this->shared_from_this();
    this->StartSendInitialMetadata();
    this->StartRead(&in_);
  }
  // A call that is over before it began.
  static DuplexServer* Refuse(const grpc::Status& status) {
    std::shared_ptr<DuplexServer> call =
        Make({[](In&) {}, [](Out*) { return false; }, [] {}, [] {}});
    call->self_ = call;
    call->End(status);
    return call.get();
  }

  // There may be something to send.
  void Kick() {
    std::lock_guard lock(mutex_);
    Pump();
  }
  // Ends the call once `next` has nothing more. The first End or Abort decides the status.
  void End(const grpc::Status& status) {
    std::lock_guard lock(mutex_);
    if (!status_) status_ = status;
    Pump();
  }
  // Ends the call after the message that is leaving now.
  void Abort(const grpc::Status& status) {
    std::lock_guard lock(mutex_);
    if (!status_) status_ = status;
    aborted_ = true;
    Pump();
  }

 private:
  explicit DuplexServer(Handlers handlers) : handlers_(std::move(handlers)) {}

  void Pump() {
    if (writing_ || finished_) return;
    out_.Clear();
    if (!aborted_ && handlers_.next(&out_)) {
      writing_ = true;
      this->StartWrite(&out_);
    } else if (status_) {
      finished_ = true;
      this->Finish(*status_);
    }
  }

  void OnReadDone(bool ok) override {
    if (!ok) return End(grpc::Status::OK);  // the client has closed its side
    handlers_.received(in_);
    in_.Clear();
    std::lock_guard lock(mutex_);
    if (!status_) this->StartRead(&in_);  // else nothing more is wanted
  }
  void OnWriteDone(bool ok) override {
    if (ok) handlers_.wrote();
    std::lock_guard lock(mutex_);
    writing_ = false;
    if (!ok) {
      aborted_ = true;
      if (!status_) status_ = grpc::Status::CANCELLED;
    }
    Pump();
  }
  void OnCancel() override { Abort(grpc::Status::CANCELLED); }
  void OnDone() override {
    std::shared_ptr<DuplexServer> self = std::move(self_);
    handlers_.ended();
    Handlers last;  // what they hold may hold this call
    std::lock_guard lock(mutex_);
    std::swap(last, handlers_);
  }

  Handlers handlers_;
  In in_;
  std::mutex mutex_;
  Out out_;                             // guarded while not writing_
  bool writing_ = false;                // guarded by mutex_
  bool aborted_ = false;                // guarded by mutex_
  bool finished_ = false;               // guarded by mutex_
  std::optional<grpc::Status> status_;  // guarded by mutex_: how it will end, once that is known
  std::shared_ptr<DuplexServer> self_;
};

}  // namespace coxswain::rpc
