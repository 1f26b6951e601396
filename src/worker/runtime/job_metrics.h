// The metric points of one job that the coordinator has not acknowledged: records appended to
// segment files named by their first batch ("17.seg"). Used by the worker's loop alone.
//
// A batch is in the page cache when Append returns: it survives kill -9 of the worker. It is never
// synced, because the loop must not wait for a disk: a power cut takes the batches of the last
// seconds, and the job, which it ends too, makes their points again from its checkpoint.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/protocol/worker_messages.h"

namespace coxswain::worker {

class JobMetrics {
 public:
  // Takes over what an earlier life left; a torn end is cut off. New batches have numbers above
  // `number_from`.
  static absl::StatusOr<std::unique_ptr<JobMetrics>> Open(const std::string& folder,
                                                          base::JobId job, uint64_t segment_bytes,
                                                          uint64_t number_from);
  ~JobMetrics();
  JobMetrics(const JobMetrics&) = delete;
  JobMetrics& operator=(const JobMetrics&) = delete;

  // A new batch. If the disk refuses it, the points count as lost, and the next batch says so.
  absl::Status Append(std::vector<protocol::MetricPoint> points, uint64_t dropped);

  // The first batch after `after`; nothing if there is none.
  std::optional<protocol::MetricBatch> Next(uint64_t after);

  // All batches up to this one are with the coordinator.
  void Trim(uint64_t batch);

  // Halves the points of the segment that was thinned least (oldest first), or removes it if it has
  // been thinned often. False if there is nothing to thin.
  bool Thin();

  uint64_t bytes() const { return bytes_; }
  bool empty() const { return acknowledged_ >= last_batch_; }  // all acknowledged

 private:
  struct Segment {
    uint64_t first = 0;  // batch
    uint64_t bytes = 0;
    int thinned = 0;
  };
  JobMetrics(std::string folder, base::JobId job, uint64_t segment_bytes, uint64_t number_from);
  uint64_t NextNumber() const { return std::max(last_batch_, number_from_) + 1; }
  std::string Path(const Segment& segment) const;
  absl::Status TakeOver();
  absl::Status BeginSegment();
  void Remove(size_t index);
  void CountLost(const Segment& segment);
  void Rewrite(size_t index);
  // Sound records of a segment, in order; `end` is the offset after the last.
  std::vector<protocol::MetricBatch> Load(const Segment& segment, uint64_t* end) const;

  const std::string folder_;
  const base::JobId job_;
  const uint64_t segment_bytes_, number_from_;
  std::deque<Segment> segments_;  // ascending; the last is appended to
  int fd_ = -1;                   // of the last
  uint64_t bytes_ = 0;
  uint64_t last_batch_ = 0;
  uint64_t acknowledged_ = 0;
  uint64_t lost_ = 0;  // points, to be told with the next batch
  // Records read ahead by Next, of one segment.
  std::deque<protocol::MetricBatch> ahead_;
};

}  // namespace coxswain::worker
