#include "coordinator/rpc/worker_service.h"

#include <atomic>

#include "common/rpc/convert.h"
#include "common/rpc/duplex_server.h"
#include "common/rpc/send_queue.h"
#include "common/rpc/token.h"
#include "coxswain/internal/v1/internal.grpc.pb.h"

namespace coxswain::coordinator::rpc {
namespace {

namespace wire = ::coxswain::internal::v1;
using Call = coxswain::rpc::DuplexServer<wire::WorkerReport, wire::WorkerOrder>;
using Queue = coxswain::rpc::SendQueue<wire::WorkerOrder>;

constexpr size_t kStuckBytes = 64u << 20;

// One worker's stream: the way out (WorkerSession) and, through its reactions, the way in.
class Session final : public runtime::WorkerSession, public std::enable_shared_from_this<Session> {
 public:
  explicit Session(runtime::WorkerGateway* gateway) : gateway_(gateway) {}

  Call* Begin() {
    auto self = shared_from_this();
    call_ = Call::Make({[self](wire::WorkerReport& in) { self->Received(in); },
                        [self](wire::WorkerOrder* out) {
                          std::lock_guard lock(self->mutex_);
                          return self->queue_.Pop(out);
                        },
                        [] {}, [self] { self->Ended(); }});
    Call* call = call_.get();
    call->Begin();
    return call;
  }

  void Send(core::Term term, const protocol::WorkerOrder& order) override {
    wire::WorkerOrder message;
    coxswain::rpc::ToProto(order, term, &message);
    bool stuck = false;
    {
      std::lock_guard lock(mutex_);
      queue_.Push(Queue::Lane::kUrgent, std::move(message));
      stuck = queue_.bytes() > kStuckBytes;
    }
    if (stuck) {
      call_->Abort({grpc::StatusCode::RESOURCE_EXHAUSTED, "the worker reads nothing"});
    } else {
      call_->Kick();
    }
  }
  void Close() override { call_->End({grpc::StatusCode::UNAVAILABLE, "the coordinator ended it"}); }

 private:
  void Received(const wire::WorkerReport& in) {
    grpc::Status status = Take(in);
    if (status.ok()) return;
    why_ = status.error_message();
    call_->End(status);
  }

  grpc::Status Take(const wire::WorkerReport& in) {
    if (in.has_hello() != !id_) {
      return {grpc::StatusCode::FAILED_PRECONDITION,
              id_ ? "a second WorkerHello" : "the first message is no WorkerHello"};
    }
    protocol::WorkerReport report;
    if (absl::Status s = coxswain::rpc::FromProto(in, &report); !s.ok()) {
      return {grpc::StatusCode::INVALID_ARGUMENT, std::string(s.message())};
    }
    if (auto* hello = std::get_if<protocol::WorkerHello>(&report)) {
      id_ = gateway_->Connected(shared_from_this(), std::move(*hello));
    } else {
      gateway_->Reported(id_, std::move(report));
    }
    return grpc::Status::OK;
  }

  void Ended() {
    if (id_) gateway_->Disconnected(id_, why_.empty() ? "its stream ended" : why_);
  }

  runtime::WorkerGateway* const gateway_;
  std::shared_ptr<Call> call_;
  core::SessionId id_;  // touched by reactions only, as is why_
  std::string why_;     // our reason for ending the stream
  std::mutex mutex_;
  Queue queue_;  // guarded by mutex_
};

class Service final : public wire::WorkerGateway::CallbackService {
 public:
  Service(runtime::WorkerGateway* gateway, std::string token)
      : gateway_(gateway), token_(std::move(token)) {}

  Call* Connect(grpc::CallbackServerContext* context) override {
    if (grpc::Status status = coxswain::rpc::CheckToken(*context, token_); !status.ok()) {
      return Call::Refuse(status);
    }
    return std::make_shared<Session>(gateway_)->Begin();
  }

 private:
  runtime::WorkerGateway* const gateway_;
  const std::string token_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeWorkerService(runtime::WorkerGateway* gateway,
                                                 std::string token) {
  return std::make_unique<Service>(gateway, std::move(token));
}

}  // namespace coxswain::coordinator::rpc
