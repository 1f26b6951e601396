// Metric points from the step that made them until the worker says that they are on its disk.
// Bounded: beyond the limit the oldest are thinned, every second point of each name, and counted.
// Pure; not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "common/protocol/trainer_messages.h"

namespace coxswain::trainer {

class MetricBuffer {
 public:
  // Points are sent in batches of at most kBatchPoints, of which at most kWindow wait for an
  // answer.
  static constexpr size_t kBatchPoints = 2000;
  static constexpr size_t kWindow = 4;

  struct Batch {
    uint64_t sequence = 0;  // rises by one over the life of the process
    std::vector<protocol::MetricPoint> points;
    uint64_t dropped = 0;  // points thinned out before these
    bool sent = false;     // on the present stream
  };

  explicit MetricBuffer(size_t limit) : limit_(limit) {}

  void Add(std::vector<protocol::MetricPoint> points);

  // The next batch to send on this stream, which then counts as sent; null: none now. The pointer
  // is good until the next call.
  const Batch* Next();
  // The worker has this batch, and all before it.
  void Acknowledge(uint64_t sequence);
  // A new stream: what has no answer is to be sent again, in order.
  void Reconnected();

  size_t waiting() const { return waiting_.size(); }  // for room in the window
  bool empty() const { return waiting_.empty() && batches_.empty(); }
  size_t size() const { return waiting_.size() + in_batches_; }
  // Everything given to Add so far is acknowledged once this many points are.
  uint64_t added() const { return added_; }
  uint64_t settled() const { return settled_; }  // acknowledged or dropped

 private:
  void Thin();

  const size_t limit_;
  std::deque<protocol::MetricPoint> waiting_;  // not yet in a batch
  std::deque<Batch> batches_;                  // no answer yet, ascending
  size_t in_batches_ = 0;
  uint64_t last_sequence_ = 0;
  uint64_t dropped_ = 0;  // not yet told
  uint64_t added_ = 0;
  uint64_t settled_ = 0;
};

}  // namespace coxswain::trainer
