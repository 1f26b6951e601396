// GetMetrics: points in ascending cursor order; with `follow` until the job has ended.
#include <algorithm>
#include <atomic>

#include "common/rpc/channel.h"
#include "coordinator/rpc/api_convert.h"
#include "coordinator/rpc/streams.h"

namespace coxswain::coordinator::rpc {
namespace {

using coxswain::rpc::ToGrpc;

constexpr uint32_t kPointsPerMessage = 2000;
constexpr uint32_t kThinnedMost = 1'000'000;  // thinning is over one read, so that one is large

class MetricStream final : public StreamCall<v1::MetricPoints> {
 public:
  MetricStream(runtime::Api* api, WorkLoop* loop, const v1::GetMetricsRequest& request)
      : StreamCall(loop), api_(api), request_(request) {
    query_.names.assign(request.names().begin(), request.names().end());
    query_.after_cursor = request.cursor();
    query_.include_repeated = request.include_repeated();
    query_.max_points = request.max_points();
    query_.limit = request.max_points() > 0 ? kThinnedMost : kPointsPerMessage;
  }

 private:
  Step Produce(v1::MetricPoints* out) override {
    if (!query_.job) {
      absl::StatusOr<core::JobId> job = api_->ResolveJob(request_.job());
      if (!job.ok()) return Step::End(ToGrpc(job.status()));
      query_.job = *job;
      if (request_.follow()) subscription_ = api_->Subscribe(*job, [this] { Wake(); });
    }
    if (next_ == points_.size()) {
      absl::StatusOr<runtime::JobView> job = api_->GetJob(query_.job);
      if (!job.ok()) return Step::End(ToGrpc(job.status()));
      const bool ended = core::IsFinal(job->record.job.state);
      if (ended && !IsStored()) return Step::Wait();
      if (absl::Status status = Load(); !status.ok()) return Step::End(ToGrpc(status));
      const bool last = ended || !request_.follow();
      if (points_.empty()) return last ? Step::End(grpc::Status::OK) : Step::Wait();
    }
    size_t end = std::min<size_t>(points_.size(), next_ + kPointsPerMessage);
    for (; next_ < end; ++next_) {
      Fill(points_[next_], out->add_points());
      query_.after_cursor = points_[next_].cursor;
    }
    out->set_cursor(query_.after_cursor);
    return Step::Write();
  }

  // All points that came before the job's end can be read: they come by another way than the end.
  bool IsStored() {
    if (stored_ == nullptr) {
      stored_ = std::make_shared<std::atomic<bool>>(false);
      std::weak_ptr<MetricStream> weak = std::static_pointer_cast<MetricStream>(shared_from_this());
      api_->AfterMetrics([weak, stored = stored_] {
        *stored = true;
        if (auto self = weak.lock()) self->Wake();
      });
    }
    return *stored_;
  }

  absl::Status Load() {
    auto points = api_->ReadMetrics(query_);
    if (!points.ok()) return points.status();
    points_ = *std::move(points);
    next_ = 0;
    query_.max_points = 0;  // what comes later is not thinned
    query_.limit = kPointsPerMessage;
    return absl::OkStatus();
  }

  runtime::Api* const api_;
  const v1::GetMetricsRequest request_;
  store::MetricQuery query_;
  std::vector<store::StoredPoint> points_;
  size_t next_ = 0;  // of points_, to send
  std::unique_ptr<runtime::Subscription> subscription_;
  std::shared_ptr<std::atomic<bool>> stored_;  // null: not asked yet
};

}  // namespace

std::shared_ptr<StreamCall<v1::MetricPoints>> MakeMetricStream(
    runtime::Api* api, WorkLoop* loop, const v1::GetMetricsRequest& request) {
  return std::make_shared<MetricStream>(api, loop, request);
}

}  // namespace coxswain::coordinator::rpc
