// A stream that comes back: opens a bidirectional call, waits for its end, pauses (doubling, with
// jitter), and tries again until it is stopped. One thread of its own; messages move on gRPC's.
//
// Thread-safe. The handlers `opened`, `received`, `wrote` and `ended` come one at a time, in order,
// and must not block nor call Stop; `next` may come at the same time as they do, under locks of the
// link: it must not call back.
#pragma once

#include <grpcpp/channel.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "common/rpc/channel.h"
#include "common/rpc/duplex_client.h"
#include "common/rpc/reconnect_policy.h"
#include "common/rpc/token.h"

namespace coxswain::rpc {

struct DuplexLinkOptions {
  std::string address;
  std::string token;  // empty: none
  base::Deadlines deadlines;
  uint64_t seed = 0;  // of the jitter
};

// `Stub` is the service's stub class with a bidirectional method Connect.
template <class Service, class Up, class Down>
class DuplexLink {
 public:
  struct Handlers {
    std::function<void()> opened;  // the other side has taken the stream
    std::function<void(Down&)> received;
    std::function<bool(Up*)> next;  // asked only while a stream is open
    std::function<void()> wrote;
    // The stream ended, or could not be opened. False: do not try again.
    std::function<bool(const grpc::Status&)> ended;
  };

  explicit DuplexLink(const DuplexLinkOptions& options)
      : options_(options), policy_(options.deadlines, options.seed) {}
  ~DuplexLink() { Stop(base::Duration(0)); }

  void Start(Handlers handlers) {
    handlers_ = std::move(handlers);
    thread_ = std::thread([this] { Run(); });
  }

  // There may be something to send.
  void Kick() {
    if (std::shared_ptr<Call> call = OpenCall()) call->Kick();
  }
  // The other side has proved itself: the next pause is short again.
  void Proven() {
    std::lock_guard lock(mutex_);
    policy_.Reset();
  }
  // Ends this stream for a reason of ours; `ended` gets it.
  void Break(const grpc::Status& why) {
    std::lock_guard lock(mutex_);
    if (call_ == nullptr) return;
    if (!why_) why_ = why;
    call_->Cancel();
  }
  // Ends the stream once all has left and the other side has said so, or after `limit`. Then no
  // handler runs any more.
  void Stop(base::Duration limit) {
    if (!thread_.joinable()) return;
    std::unique_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    std::shared_ptr<Call> call = call_;
    if (open_ && limit.count() > 0) {
      lock.unlock();
      call->Close();
      lock.lock();
      changed_.wait_for(lock, limit, [this] { return status_.has_value(); });
    }
    lock.unlock();
    if (call != nullptr) call->Cancel();
    thread_.join();
  }

 private:
  using Call = DuplexClient<Up, Down>;

  void Run() {
    bool again = true;
    while (again) {
      grpc::Status status = OneStream();
      Tell([&] { again = handlers_.ended(status); });
      std::unique_lock lock(mutex_);
      if (again) changed_.wait_for(lock, policy_.Next(), [this] { return stopping_; });
      again = again && !stopping_;
    }
  }

  grpc::Status OneStream() {
    auto channel = MakeChannel(options_.address, options_.deadlines);
    if (!channel.ok()) return ToGrpc(channel.status());
    auto stub = Service::NewStub(*channel);
    auto call = Call::Make({[this] { Opened(); },
                            [this](Down& in) { Tell([&] { handlers_.received(in); }); },
                            [this](Up* out) { return handlers_.next(out); },
                            [this] { Tell([this] { handlers_.wrote(); }); },
                            [this](const grpc::Status& status) { Ended(status); }});
    {
      std::lock_guard lock(mutex_);
      status_.reset();
      why_.reset();
      call_ = call;
      if (stopping_) call->Cancel();
    }
    call->Begin([this](grpc::ClientContext* context) { Authorize(context, options_.token); },
                [&](grpc::ClientContext* context, Call* reactor) {
                  stub->async()->Connect(context, reactor);
                });
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return status_.has_value(); });
    call_ = nullptr;  // `call` and `channel` go here, on this thread: see DuplexClient
    return *status_;
  }

  void Opened() {
    {
      std::lock_guard lock(mutex_);
      open_ = true;
    }
    Tell([this] { handlers_.opened(); });
    Kick();
  }
  void Ended(const grpc::Status& status) {
    std::lock_guard lock(mutex_);
    open_ = false;
    status_ = why_ ? *why_ : status;
    changed_.notify_all();
  }
  std::shared_ptr<Call> OpenCall() {
    std::lock_guard lock(mutex_);
    return open_ ? call_ : nullptr;
  }
  template <class Handler>
  void Tell(const Handler& handler) {
    std::lock_guard lock(telling_);
    handler();
  }

  const DuplexLinkOptions options_;
  Handlers handlers_;
  std::thread thread_;
  std::mutex telling_;  // taken before mutex_, never after it
  std::mutex mutex_;
  std::condition_variable changed_;
  ReconnectPolicy policy_;  // guarded by mutex_, as is all below
  std::shared_ptr<Call> call_;
  bool open_ = false;  // the other side has taken the stream
  bool stopping_ = false;
  std::optional<grpc::Status> why_;     // we broke it
  std::optional<grpc::Status> status_;  // how the stream ended
};

}  // namespace coxswain::rpc
