// The life of one unary call whose answer comes later, from any thread. Answered once: a client
// that has gone is let go at once, and a late answer finds nobody.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <memory>
#include <mutex>

namespace coxswain::coordinator::rpc {

template <class Response>
class UnaryCall final : public grpc::ServerUnaryReactor,
                        public std::enable_shared_from_this<UnaryCall<Response>> {
 public:
  // `out` is gRPC's, and good until the call has been answered.
  static std::shared_ptr<UnaryCall> Make(Response* out) {
    std::shared_ptr<UnaryCall> call(new UnaryCall(out));
    call->self_ = call;
    return call;
  }
  void Answer(const grpc::Status& status, Response* response = nullptr) {
    std::lock_guard lock(mutex_);
    if (answered_) return;
    answered_ = true;
    if (status.ok() && response != nullptr) out_->Swap(response);
    Finish(status);
  }

 private:
  explicit UnaryCall(Response* out) : out_(out) {}
  void OnCancel() override { Answer(grpc::Status::CANCELLED); }
  void OnDone() override { std::shared_ptr<UnaryCall> self = std::move(self_); }

  std::mutex mutex_;
  Response* const out_;    // guarded by mutex_, until answered_
  bool answered_ = false;  // guarded by mutex_
  std::shared_ptr<UnaryCall> self_;
};

}  // namespace coxswain::coordinator::rpc
