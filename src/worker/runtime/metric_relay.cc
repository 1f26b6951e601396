#include "worker/runtime/metric_relay.h"

#include <algorithm>
#include <utility>

namespace coxswain::worker {

MetricRelay::MetricRelay(MetricsBuffer& buffer, std::function<bool(protocol::MetricBatch&)> send)
    : buffer_(buffer), send_(std::move(send)) {}

void MetricRelay::Begin() {
  open_ = true;
  for (auto& [job, progress] : jobs_) {
    progress.ahead.clear();
    progress.refused.reset();
  }
  Pump();
}

void MetricRelay::End() { open_ = false; }

void MetricRelay::Pump() {
  if (!open_) return;
  for (base::JobId job : buffer_.Jobs()) {
    if (!PumpJob(job, jobs_[job])) return;
  }
}

// False: the stream is full.
bool MetricRelay::PumpJob(base::JobId job, Progress& progress) {
  while (progress.ahead.size() < kBatchesAhead) {
    uint64_t after = progress.ahead.empty() ? progress.acknowledged : progress.ahead.back();
    std::optional<protocol::MetricBatch> batch = std::exchange(progress.refused, std::nullopt);
    if (!batch) batch = buffer_.Next(job, after);
    if (!batch) return true;
    uint64_t number = batch->batch;
    if (!send_(*batch)) {
      progress.refused = std::move(batch);
      return false;
    }
    progress.ahead.push_back(number);
  }
  return true;
}

void MetricRelay::Acknowledged(base::JobId job, uint64_t batch) {
  Progress& progress = jobs_[job];
  if (batch == 0) {
    progress.ahead.clear();
    progress.refused.reset();
    return Pump();
  }
  progress.acknowledged = std::max(progress.acknowledged, batch);
  while (!progress.ahead.empty() && progress.ahead.front() <= batch) progress.ahead.pop_front();
  buffer_.Trim(job, batch);
  Pump();
}

}  // namespace coxswain::worker
