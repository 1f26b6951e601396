// Sends buffered metric batches to the coordinator, in order and a bounded number ahead of its
// acknowledgements; after a break, or when the coordinator asks for it, again from the first that
// was not acknowledged.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>

#include "worker/runtime/metrics_buffer.h"

namespace coxswain::worker {

class MetricRelay {
 public:
  static constexpr size_t kBatchesAhead = 256;  // per job

  // `send` takes a batch, or returns false: the stream is full, Pump is to be called later.
  MetricRelay(MetricsBuffer& buffer, std::function<bool(protocol::MetricBatch&)> send);

  void Begin();  // a coordinator listens
  void End();
  void Pump();  // there may be more to send, or room to send it
  // Batch 0: what came after the last one was not kept, and is to be sent again.
  void Acknowledged(base::JobId job, uint64_t batch);

 private:
  struct Progress {
    uint64_t acknowledged = 0;
    std::deque<uint64_t> ahead;                    // sent, not acknowledged; ascending
    std::optional<protocol::MetricBatch> refused;  // by a full stream; goes first
  };
  bool PumpJob(base::JobId job, Progress& progress);

  MetricsBuffer& buffer_;
  const std::function<bool(protocol::MetricBatch&)> send_;
  bool open_ = false;
  std::map<base::JobId, Progress> jobs_;
};

}  // namespace coxswain::worker
