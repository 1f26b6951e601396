// Metric points: metrics.db, a file of its own, so that points never delay state. Not thread-safe.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/protocol/worker_messages.h"

namespace coxswain::coordinator::store {

struct StoredPoint {
  protocol::MetricPoint point;
  uint64_t cursor = 0;  // rises over the whole store
  bool repeated_by_later = false;
};
// Points of a job that full buffers thinned out before they came here.
struct DroppedPoints {
  uint64_t points = 0;
  base::WallTime last;  // when the last of them were told; 0: none, or not known
};
struct MetricQuery {
  base::JobId job;
  std::vector<std::string> names;  // empty: all
  uint64_t after_cursor = 0;
  bool include_repeated = false;
  int64_t max_points = 0;  // per name, evenly thinned; 0: all
  uint32_t limit = 10'000;
};

class MetricReader {
 public:
  virtual ~MetricReader() = default;
  // In ascending order of the cursor. At most `limit` points: pass the last cursor to go on.
  virtual absl::StatusOr<std::vector<StoredPoint>> Read(const MetricQuery& query) = 0;
  virtual absl::StatusOr<DroppedPoints> ReadDropped(base::JobId job) = 0;
};

struct NodeBatch {
  base::NodeId node;
  protocol::MetricBatch batch;
};

struct MetricLimits {
  base::Duration age{};  // since a job's last point; 0: no limit
  uint64_t bytes = 0;    // of the whole file; 0: no limit
};

class MetricStore {
 public:
  virtual ~MetricStore() = default;
  // One transaction, durable on return; nothing of it is there after an error. A point's key is
  // (job, rank, name, step): one of a later generation replaces an earlier one, which stays
  // readable as repeated; the same batch (by node, job and number) twice changes nothing.
  virtual absl::Status Append(std::span<const NodeBatch> batches, base::WallTime now) = 0;
  // Points that the batches taken in since it was opened say are left out. From any thread.
  virtual uint64_t dropped_points() const = 0;
  virtual absl::Status DeleteJobs(const std::vector<base::JobId>& jobs) = 0;
  // Removes whole jobs, those first whose last point is oldest, until the limits are kept (at most
  // a few at a time: call it again). Returns how many.
  virtual absl::StatusOr<size_t> Prune(const MetricLimits& limits, base::WallTime now) = 0;
  virtual absl::StatusOr<std::unique_ptr<MetricReader>> NewReader() = 0;
};

// Errors as OpenSqliteStore's.
absl::StatusOr<std::unique_ptr<MetricStore>> OpenSqliteMetricStore(const std::string& path,
                                                                   const std::string& vfs = "");

}  // namespace coxswain::coordinator::store
