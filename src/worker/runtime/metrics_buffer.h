// The metric points of all jobs of this worker until the coordinator has them: bounded, on disk.
// When full it thins (keeps every second point of what is oldest) and counts what went; it never
// holds a trainer up. Used by the worker's loop alone.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "worker/runtime/job_metrics.h"

namespace coxswain::worker {

class MetricsBuffer {
 public:
  // Below `folder`, one folder for each job. `boot_id`: of this machine's present boot. A power cut
  // takes batches that the coordinator may have: so that no later one has their numbers, which
  // would be taken for a repeat, each boot's numbers begin above those of all boots before it.
  static absl::StatusOr<std::unique_ptr<MetricsBuffer>> Open(const std::string& folder,
                                                             uint64_t limit_bytes,
                                                             const std::string& boot_id);

  // After it the trainer may forget the points, whatever the status: what the disk refused is
  // counted as dropped and told with the next batch.
  absl::Status Append(base::JobId job, std::vector<protocol::MetricPoint> points, uint64_t dropped);

  std::optional<protocol::MetricBatch> Next(base::JobId job, uint64_t after);
  void Trim(base::JobId job, uint64_t batch);
  // The job is over: nothing is kept of it once all is acknowledged.
  void Forget(base::JobId job);

  // A disk that is nearly full: less is kept.
  void SetLimit(uint64_t limit_bytes);

  std::vector<base::JobId> Jobs() const;
  uint64_t bytes() const;

 private:
  MetricsBuffer(std::string folder, uint64_t limit_bytes)
      : folder_(std::move(folder)), limit_bytes_(limit_bytes) {}
  absl::Status CountBoot(const std::string& boot_id);
  absl::StatusOr<JobMetrics*> Find(base::JobId job);
  uint64_t SegmentBytes() const;
  void KeepWithinLimit();
  void RemoveIfOver(base::JobId job);

  const std::string folder_;
  uint64_t limit_bytes_;
  uint64_t boots_ = 0;  // of which this buffer has seen the end
  std::map<base::JobId, std::unique_ptr<JobMetrics>> jobs_;
  std::map<base::JobId, bool> over_;
};

}  // namespace coxswain::worker
