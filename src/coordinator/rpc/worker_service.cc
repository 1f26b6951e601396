#include "coordinator/rpc/worker_service.h"

#include <atomic>

#include "common/rpc/channel.h"
#include "common/rpc/convert.h"
#include "common/rpc/queued_server.h"
#include "common/rpc/token.h"
#include "coordinator/rpc/read_pace.h"
#include "coordinator/rpc/unary_call.h"
#include "coxswain/internal/v1/internal.grpc.pb.h"

namespace coxswain::coordinator::rpc {
namespace {

namespace wire = ::coxswain::internal::v1;
using Stream = coxswain::rpc::QueuedServer<wire::WorkerReport, wire::WorkerOrder>;
using Call = Stream::Call;

constexpr size_t kCodePart = 4u << 20;  // of an answer

// One worker's stream: the way out (WorkerSession) and, through its reactions, the way in.
class Session final : public runtime::WorkerSession, public std::enable_shared_from_this<Session> {
 public:
  Session(runtime::WorkerGateway* gateway, ReadPace* pace) : gateway_(gateway), pace_(pace) {}

  Call* Begin() {
    return stream_.Begin(
        shared_from_this(), [this](wire::WorkerReport& in) { Received(in); }, [this] { Ended(); });
  }

  void Send(core::Term term, const protocol::WorkerOrder& order) override {
    wire::WorkerOrder message;
    coxswain::rpc::ToProto(order, term, &message);
    message.set_takes_several(message.has_welcome());
    stream_.Send(std::move(message));
  }
  void Close() override {
    stream_.End({grpc::StatusCode::UNAVAILABLE, "the coordinator ended it"});
  }

 private:
  void Received(wire::WorkerReport& in) {
    if (in.takes_several()) stream_.SendTogether();
    grpc::Status status;
    coxswain::rpc::ForEachOf(in, [&](const wire::WorkerReport& each) {
      if (status.ok()) status = Take(each);
    });
    if (status.ok()) return;
    why_ = status.error_message();
    stream_.End(status);
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
      const bool can_wait = runtime::CanWait(report);
      gateway_->Reported(id_, std::move(report));
      pace_->Reacted(can_wait);
    }
    return grpc::Status::OK;
  }

  void Ended() {
    if (id_) gateway_->Disconnected(id_, why_.empty() ? "its stream ended" : why_);
  }

  runtime::WorkerGateway* const gateway_;
  ReadPace* const pace_;
  Stream stream_{"the worker"};
  core::SessionId id_;  // touched by reactions only, as is why_
  std::string why_;     // our reason for ending the stream
};

class Service final : public wire::WorkerGateway::CallbackService {
 public:
  Service(runtime::WorkerGateway* gateway, WorkLoop* loop, std::string token)
      : gateway_(gateway), loop_(loop), token_(std::move(token)) {}

  Call* Connect(grpc::CallbackServerContext* context) override {
    if (grpc::Status status = coxswain::rpc::CheckToken(*context, token_); !status.ok()) {
      return Call::Refuse(status);
    }
    return std::make_shared<Session>(gateway_, &pace_)->Begin();
  }

  grpc::ServerUnaryReactor* GetCode(grpc::CallbackServerContext* context,
                                    const wire::GetCodeRequest* request,
                                    wire::GetCodeResponse* out) override {
    auto call = UnaryCall<wire::GetCodeResponse>::Make(out);
    if (grpc::Status status = coxswain::rpc::CheckToken(*context, token_); !status.ok()) {
      call->Answer(status);
      return call.get();
    }
    loop_->Post([this, call, request = *request] {
      absl::StatusOr<code::CodePart> part =
          gateway_->ReadCode(request.code(), request.offset(), kCodePart);
      wire::GetCodeResponse response;
      if (part.ok()) {
        response.set_data(std::move(part->data));
        response.set_total_bytes(part->total_bytes);
      }
      call->Answer(coxswain::rpc::ToGrpc(part.status()), &response);
    });
    return call.get();
  }

 private:
  runtime::WorkerGateway* const gateway_;
  WorkLoop* const loop_;
  const std::string token_;
  ReadPace pace_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeWorkerService(runtime::WorkerGateway* gateway, WorkLoop* loop,
                                                 std::string token) {
  return std::make_unique<Service>(gateway, loop, std::move(token));
}

}  // namespace coxswain::coordinator::rpc
