// CoordinatorLink over gRPC.
#include <atomic>
#include <mutex>

#include "common/base/clock.h"
#include "common/rpc/convert.h"
#include "common/rpc/duplex_link.h"
#include "common/rpc/send_queue.h"
#include "coxswain/internal/v1/internal.grpc.pb.h"
#include "worker/runtime/coordinator_link.h"

namespace coxswain::worker {
namespace {

namespace wire = ::coxswain::internal::v1;
using Queue = rpc::SendQueue<wire::WorkerReport>;

// A peer that takes nothing while this much waits is stuck: a new stream begins from the hello.
constexpr size_t kStuckBytes = 64u << 20;

// Which message a newer one of the same kind replaces while it waits; 0: none.
uint64_t ReplaceableKind(const protocol::WorkerReport& report) {
  if (const auto* beat = std::get_if<protocol::Heartbeat>(&report)) {
    return beat->changed_inventory ? 0 : 1;
  }
  const auto* from = std::get_if<protocol::FromTrainer>(&report);
  if (from == nullptr || !std::holds_alternative<protocol::TrainerProgress>(from->report)) return 0;
  uint64_t kind = base::Mix64(base::Mix64(from->key.job.value) ^ from->key.attempt.value);
  return base::Mix64(kind ^ from->key.rank) | 2;
}

Queue::Lane LaneOf(const protocol::WorkerReport& report) {
  bool bulk = std::holds_alternative<protocol::MetricBatch>(report) ||
              std::holds_alternative<protocol::LogData>(report);
  return bulk ? Queue::Lane::kBulk : Queue::Lane::kUrgent;
}

class CoordinatorClient final : public CoordinatorLink {
 public:
  explicit CoordinatorClient(const CoordinatorSettings& settings)
      : address_(settings.address),
        link_({settings.address, settings.token, settings.deadlines,
               static_cast<uint64_t>(base::WallNow().us) ^ reinterpret_cast<uintptr_t>(this)}) {}

  ~CoordinatorClient() override { CoordinatorClient::Stop(base::Duration(0)); }

  void Start(CoordinatorEvents events) override {
    events_ = std::move(events);
    link_.Start({[this] { Opened(); }, [this](wire::WorkerOrder& in) { Received(in); },
                 [this](wire::WorkerReport* out) { return Next(out); }, [this] { Wrote(); },
                 [this](const grpc::Status& status) { return Ended(status); }});
  }

  void Send(protocol::WorkerReport report) override {
    wire::WorkerReport message;
    rpc::ToProto(report, &message);
    message.set_takes_several(message.has_hello());
    bool stuck = false;
    {
      std::lock_guard lock(mutex_);
      if (!open_) return;
      queue_.Push(LaneOf(report), std::move(message), ReplaceableKind(report));
      above_high_ = above_high_ || queue_.bytes() > kHighWater;
      stuck = queue_.bytes() > kStuckBytes;
    }
    if (stuck) {
      link_.Break({grpc::StatusCode::ABORTED, "takes nothing: 64 MiB wait to be sent"});
    } else {
      link_.Kick();
    }
  }

  void Reconnect(const std::string& reason) override {
    link_.Break({grpc::StatusCode::ABORTED, reason});
  }

  size_t QueuedBytes() const override {
    std::lock_guard lock(mutex_);
    return queue_.bytes();
  }

  void Stop(base::Duration limit) override {
    stopping_ = true;
    link_.Stop(limit);
  }

 private:
  void Opened() {
    {
      std::lock_guard lock(mutex_);
      open_ = true;
    }
    events_.connected();
  }

  void Received(wire::WorkerOrder& in) {
    if (in.takes_several()) {
      std::lock_guard lock(mutex_);
      queue_.SendTogether();
    }
    absl::Status status;
    rpc::ForEachOf(in, [&](const wire::WorkerOrder& each) {
      if (status.ok()) status = Take(each);
    });
    if (status.ok()) return;
    link_.Break({grpc::StatusCode::INTERNAL, "unreadable order: " + std::string(status.message())});
  }

  absl::Status Take(const wire::WorkerOrder& in) {
    base::Term term;
    protocol::WorkerOrder order;
    absl::Status status = rpc::FromProto(in, &term, &order);
    if (!status.ok()) return status;
    link_.Proven();
    events_.order(term, std::move(order));
    return status;
  }

  bool Next(wire::WorkerReport* out) {
    std::lock_guard lock(mutex_);
    return queue_.Pop(out);
  }

  void Wrote() {
    {
      std::lock_guard lock(mutex_);
      if (!above_high_ || queue_.bytes() >= kLowWater) return;
      above_high_ = false;
    }
    events_.drained();
  }

  bool Ended(const grpc::Status& status) {
    {
      std::lock_guard lock(mutex_);
      open_ = false;
      above_high_ = false;
      queue_.Clear();
    }
    if (stopping_) return false;
    events_.disconnected({rpc::WhyFailed(address_, status),
                          status.error_code() == grpc::StatusCode::UNAUTHENTICATED});
    return true;
  }

  const std::string address_;
  CoordinatorEvents events_;
  std::atomic<bool> stopping_ = false;
  mutable std::mutex mutex_;
  Queue queue_;              // guarded by mutex_
  bool open_ = false;        // guarded by mutex_: Send is accepted
  bool above_high_ = false;  // guarded by mutex_: `drained` is owed
  rpc::DuplexLink<wire::WorkerGateway, wire::WorkerReport, wire::WorkerOrder>
      link_;  // last: ends first
};

}  // namespace

std::unique_ptr<CoordinatorLink> MakeCoordinatorLink(const CoordinatorSettings& settings) {
  return std::make_unique<CoordinatorClient>(settings);
}

}  // namespace coxswain::worker
