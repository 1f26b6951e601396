#include "trainer/rpc/metric_buffer.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

namespace coxswain::trainer {

void MetricBuffer::Add(std::vector<protocol::MetricPoint> points) {
  added_ += points.size();
  std::move(points.begin(), points.end(), std::back_inserter(waiting_));
  while (size() > limit_ && waiting_.size() > 1) Thin();
}

// Every second point of each name goes from the older half of what waits. Those of a batch that is
// on its way stay: it may have arrived already.
void MetricBuffer::Thin() {
  size_t half = (waiting_.size() + 1) / 2;
  std::map<std::pair<std::string, int32_t>, bool> drop_next;
  std::deque<protocol::MetricPoint> kept;
  for (size_t i = 0; i < waiting_.size(); ++i) {
    bool drop = false;
    if (i < half) {
      bool& next = drop_next.try_emplace({waiting_[i].name, waiting_[i].rank}, true).first->second;
      drop = next;
      next = !next;
    }
    if (!drop) kept.push_back(std::move(waiting_[i]));
  }
  uint64_t gone = waiting_.size() - kept.size();
  dropped_ += gone;
  settled_ += gone;
  waiting_ = std::move(kept);
}

const MetricBuffer::Batch* MetricBuffer::Next() {
  for (Batch& batch : batches_) {
    if (batch.sent) continue;
    batch.sent = true;
    return &batch;
  }
  if (waiting_.empty() || batches_.size() >= kWindow) return nullptr;
  Batch& batch = batches_.emplace_back();
  batch.sequence = ++last_sequence_;
  batch.dropped = std::exchange(dropped_, 0);
  batch.sent = true;
  auto end = waiting_.begin() + static_cast<ptrdiff_t>(std::min(waiting_.size(), kBatchPoints));
  std::move(waiting_.begin(), end, std::back_inserter(batch.points));
  waiting_.erase(waiting_.begin(), end);
  in_batches_ += batch.points.size();
  return &batch;
}

void MetricBuffer::Acknowledge(uint64_t sequence) {
  while (!batches_.empty() && batches_.front().sequence <= sequence) {
    in_batches_ -= batches_.front().points.size();
    settled_ += batches_.front().points.size();
    batches_.pop_front();
  }
}

void MetricBuffer::Reconnected() {
  for (Batch& batch : batches_) batch.sent = false;
}

}  // namespace coxswain::trainer
