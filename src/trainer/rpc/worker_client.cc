// TrainerLink over gRPC on the worker's Unix socket. Messages move on gRPC's threads, never on the
// caller's: a step is never held up.
#include <atomic>
#include <deque>

#include "common/base/version.h"
#include "common/rpc/convert.h"
#include "common/rpc/duplex_link.h"
#include "coxswain/internal/v1/internal.grpc.pb.h"
#include "trainer/rpc/metric_buffer.h"
#include "trainer/runtime/trainer_link.h"

namespace coxswain::trainer {
namespace {

namespace wire = ::coxswain::internal::v1;

// Reports that may wait while a worker takes nothing; the oldest go first then, the core repeats
// them.
constexpr size_t kReportLimit = 10'000;

class WorkerClient final : public TrainerLink {
 public:
  explicit WorkerClient(const LinkSettings& settings)
      : settings_(settings),
        metrics_(kPointLimit),
        link_({"unix:" + settings.socket, "", {}, settings.incarnation.value}) {}

  ~WorkerClient() override { WorkerClient::Stop(); }

  void Start(LinkEvents events) override {
    events_ = std::move(events);
    link_.Start({[this] { Opened(); }, [this](wire::TrainerDown& in) { Received(in); },
                 [this](wire::TrainerUp* out) { return Next(out); }, [] {},
                 [this](const grpc::Status& status) { return Ended(status); }});
  }

  void SendReport(protocol::TrainerReport report) override {
    {
      std::lock_guard lock(mutex_);
      if (std::holds_alternative<protocol::TrainerProgress>(report)) {
        progress_ = std::move(report);
      } else if (!open_) {
        missing_ = true;
      } else {
        reports_.push_back(std::move(report));
        if (reports_.size() > kReportLimit) {
          reports_.pop_front();
          missing_ = true;
        }
      }
    }
    link_.Kick();
  }

  void SendMetrics(std::vector<protocol::MetricPoint> points) override {
    {
      std::lock_guard lock(mutex_);
      metrics_.Add(std::move(points));
    }
    link_.Kick();
  }

  bool Flush(base::Duration limit) override {
    std::unique_lock lock(mutex_);
    uint64_t points = metrics_.added();
    return changed_.wait_for(lock, limit, [&] {
      return open_ && !missing_ && reports_.empty() && !progress_ && !writing_ &&
             metrics_.settled() >= points;
    });
  }

  void Stop() override {
    stopping_ = true;
    link_.Stop(base::Deadlines().Heartbeat());
  }

 private:
  void Opened() {
    {
      std::lock_guard lock(mutex_);
      open_ = true;
      missing_ = false;  // the core says again what has no answer
    }
    events_.connected();
  }

  void Received(const wire::TrainerDown& in) {
    link_.Proven();
    if (in.has_metrics_buffered()) {
      {
        std::lock_guard lock(mutex_);
        metrics_.Acknowledge(in.metrics_buffered().sequence());
        changed_.notify_all();
      }
      return link_.Kick();  // the window may be open again
    }
    protocol::TrainerOrder order;
    if (absl::Status status = rpc::FromProto(in.order(), &order); !status.ok()) {
      return link_.Break({grpc::StatusCode::INTERNAL, std::string(status.message())});
    }
    events_.order(order);
  }

  bool Next(wire::TrainerUp* out) {
    std::lock_guard lock(mutex_);
    writing_ = FillNext(out);
    if (!writing_) changed_.notify_all();
    return writing_;
  }

  // Hello first, then reports in order, progress, metrics; but metrics before a checkpoint's
  // commit, so that the worker has every point of the steps that will not be done again.
  bool FillNext(wire::TrainerUp* out) {
    if (!hello_sent_) {
      hello_sent_ = true;
      FillHello(out->mutable_hello());
    } else if (const MetricBuffer::Batch* before = MetricsBeforeCommit()) {
      FillMetrics(*before, out->mutable_metrics());
    } else if (CommitIsNext() && metrics_.waiting() > 0) {
      return false;  // an acknowledgement opens the window for them, and then the commit goes
    } else if (!reports_.empty()) {
      rpc::ToProto(reports_.front(), out->mutable_report());
      reports_.pop_front();
    } else if (progress_) {
      rpc::ToProto(*progress_, out->mutable_report());
      progress_.reset();
    } else if (const MetricBuffer::Batch* batch = metrics_.Next()) {
      FillMetrics(*batch, out->mutable_metrics());
    } else {
      return false;
    }
    return true;
  }
  bool CommitIsNext() const {
    return !reports_.empty() && std::holds_alternative<protocol::ManifestWritten>(reports_.front());
  }
  const MetricBuffer::Batch* MetricsBeforeCommit() {
    return CommitIsNext() ? metrics_.Next() : nullptr;
  }
  void FillHello(wire::TrainerHello* hello) {
    rpc::ToProto(settings_.key, hello->mutable_key());
    hello->set_incarnation(settings_.incarnation.value);
    hello->set_protocol_oldest(base::kProtocolOldest);
    hello->set_protocol_newest(base::kProtocolNewest);
  }
  void FillMetrics(const MetricBuffer::Batch& batch, wire::MetricPoints* out) {
    out->set_sequence(batch.sequence);
    out->set_dropped(batch.dropped);
    for (const protocol::MetricPoint& point : batch.points) {
      rpc::ToProto(point, out->add_points());
    }
  }

  bool Ended(const grpc::Status& status) {
    {
      std::lock_guard lock(mutex_);
      open_ = false;
      hello_sent_ = false;
      writing_ = false;
      missing_ = missing_ || !reports_.empty();
      reports_.clear();
      metrics_.Reconnected();
    }
    if (stopping_) return false;
    bool refused = status.error_code() == grpc::StatusCode::PERMISSION_DENIED ||
                   status.error_code() == grpc::StatusCode::FAILED_PRECONDITION;
    if (refused) events_.refused(status.error_message());
    return !refused;
  }

  const LinkSettings settings_;
  LinkEvents events_;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  MetricBuffer metrics_;                             // guarded by mutex_, as is all below
  std::deque<protocol::TrainerReport> reports_;      // for this stream
  std::optional<protocol::TrainerReport> progress_;  // the newest, until it has left
  bool open_ = false;                                // the worker has taken the stream
  bool missing_ = false;                             // a report was dropped since it was opened
  bool hello_sent_ = false;                          // on this stream
  bool writing_ = false;                             // a message is on its way out
  rpc::DuplexLink<wire::TrainerGateway, wire::TrainerUp, wire::TrainerDown>
      link_;  // last: ends first
};

}  // namespace

std::unique_ptr<TrainerLink> MakeWorkerLink(const LinkSettings& settings) {
  return std::make_unique<WorkerClient>(settings);
}

}  // namespace coxswain::trainer
