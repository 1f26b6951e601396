#include "sim/rpc/worker_stream.h"

#include <grpcpp/channel.h>

#include <mutex>

#include "common/rpc/channel.h"
#include "common/rpc/convert.h"
#include "common/rpc/duplex_client.h"
#include "common/rpc/send_queue.h"
#include "common/rpc/token.h"
#include "coxswain/internal/v1/internal.grpc.pb.h"

namespace coxswain::sim::rpc {
namespace {

namespace wire = ::coxswain::internal::v1;
using coxswain::rpc::FromProto;
using coxswain::rpc::ToProto;
using Queue = coxswain::rpc::SendQueue<wire::WorkerReport>;

class Stream final : public WorkerStream {
 public:
  Stream(const std::shared_ptr<grpc::Channel>& channel, const std::string& token, Events events)
      : events_(std::move(events)), stub_(wire::WorkerGateway::NewStub(channel)) {
    call_ = Call::Make({.opened = [this] { events_.opened(); },
                        .received = [this](wire::WorkerOrder& in) { Received(in); },
                        .next = [this](wire::WorkerReport* out) { return Next(out); },
                        .wrote = [] {},
                        .ended = [this](const grpc::Status& status) { Ended(status); }});
    call_->Begin(
        [&](grpc::ClientContext* context) { coxswain::rpc::Authorize(context, token); },
        [&](grpc::ClientContext* context, Call* call) { stub_->async()->Connect(context, call); });
  }

  void Send(const protocol::WorkerReport& report) override {
    wire::WorkerReport message;
    ToProto(report, &message);
    message.set_takes_several(message.has_hello());
    {
      std::lock_guard lock(mutex_);
      queue_.Push(Queue::Lane::kUrgent, std::move(message));
    }
    call_->Kick();
  }
  void Cancel() override { call_->Cancel(); }

 private:
  using Call = coxswain::rpc::DuplexClient<wire::WorkerReport, wire::WorkerOrder>;

  bool Next(wire::WorkerReport* out) {
    std::lock_guard lock(mutex_);
    return queue_.Pop(out);
  }
  void Received(wire::WorkerOrder& in) {
    if (in.takes_several()) {
      std::lock_guard lock(mutex_);
      queue_.SendTogether();
    }
    coxswain::rpc::ForEachOf(in, [this](const wire::WorkerOrder& each) {
      if (unreadable_.ok()) Take(each);
    });
  }
  void Take(const wire::WorkerOrder& in) {
    base::Term term;
    protocol::WorkerOrder order;
    if (absl::Status status = FromProto(in, &term, &order); !status.ok()) {
      unreadable_ = status;
      return call_->Cancel();
    }
    events_.order(term, std::move(order));
  }
  void Ended(const grpc::Status& status) {
    auto ended = std::move(events_.ended);  // this object may be gone while it runs
    if (!unreadable_.ok()) return ended(unreadable_);
    ended({coxswain::rpc::FromGrpc(status).code(), coxswain::rpc::ReasonOf(status)});
  }

  Events events_;
  absl::Status unreadable_;  // an order was
  std::mutex mutex_;
  Queue queue_;  // guarded by mutex_
  std::unique_ptr<wire::WorkerGateway::Stub> stub_;
  std::shared_ptr<Call> call_;
};

}  // namespace

std::shared_ptr<WorkerStream> OpenWorkerStream(const std::shared_ptr<grpc::Channel>& channel,
                                               const std::string& token,
                                               WorkerStream::Events events) {
  return std::make_shared<Stream>(channel, token, std::move(events));
}

}  // namespace coxswain::sim::rpc
