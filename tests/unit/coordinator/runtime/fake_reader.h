// Committed state as a test gives it: jobs and checkpoints, and nothing else.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "coordinator/store/state_store.h"

namespace coxswain::coordinator::runtime {

class FakeReader : public store::StateReader {
 public:
  std::map<core::JobId, core::JobRow> jobs;
  std::vector<core::CheckpointRow> checkpoints;  // newest first

  absl::StatusOr<store::JobRecord> GetJob(core::JobId job) override {
    auto found = jobs.find(job);
    if (found == jobs.end()) return absl::NotFoundError("no such job");
    store::JobRecord record;
    record.job = found->second;
    return record;
  }
  absl::StatusOr<core::JobId> FindJobByName(const std::string& name) override {
    for (auto job = jobs.rbegin(); job != jobs.rend(); ++job) {
      if (job->second.request.name == name) return job->first;
    }
    return absl::NotFoundError("no such name");
  }
  absl::StatusOr<core::JobId> FindIdempotencyKey(const std::string& key,
                                                 std::string* request_digest) override {
    for (const auto& [id, job] : jobs) {
      if (key.empty() || job.idempotency_key != key) continue;
      *request_digest = job.request_digest;
      return id;
    }
    return core::JobId();
  }
  absl::StatusOr<std::vector<core::CheckpointRow>> ListCheckpoints(core::JobId job, bool) override {
    std::vector<core::CheckpointRow> found;
    for (const core::CheckpointRow& row : checkpoints) {
      if (row.job == job) found.push_back(row);
    }
    return found;
  }
  absl::StatusOr<core::CheckpointRow> GetCheckpoint(core::CheckpointId id) override {
    for (const core::CheckpointRow& row : checkpoints) {
      if (row.id == id) return row;
    }
    return absl::NotFoundError("no such checkpoint");
  }
  absl::StatusOr<core::RankRow> GetRank(const protocol::RankKey&) override { return NotGiven(); }
  absl::StatusOr<std::vector<store::JobRecord>> ListJobs(const store::JobFilter&) override {
    return NotGiven();
  }
  absl::StatusOr<std::vector<core::NodeRow>> ListNodes() override { return NotGiven(); }
  absl::StatusOr<std::string> NodeName(const core::NodeId&) override { return NotGiven(); }
  absl::StatusOr<std::vector<core::EventRow>> ListEvents(core::JobId, core::EventSeq,
                                                         uint32_t) override {
    return NotGiven();
  }
  absl::StatusOr<std::vector<core::EventRow>> ListNewestEvents(core::JobId, uint32_t) override {
    return NotGiven();
  }
  absl::StatusOr<std::map<core::JobState, uint64_t>> CountJobs() override { return NotGiven(); }
  absl::StatusOr<store::RetentionFound> FindExpired(const store::RetentionLimits&,
                                                    base::WallTime) override {
    return NotGiven();
  }

 private:
  static absl::Status NotGiven() { return absl::UnimplementedError("not part of this test"); }
};

}  // namespace coxswain::coordinator::runtime
