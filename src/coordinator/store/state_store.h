// The durable state: one narrow door. SQLite is the embedded default; PostgreSQL comes behind the
// same interface. Not thread-safe, save where said: the commit thread owns the writer, readers have
// their own.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "coordinator/core/rows.h"

namespace coxswain::coordinator::store {

struct JobFilter {
  std::vector<core::JobState> states{};  // empty: all
  std::string name_prefix{};
  std::map<std::string, std::string> labels{};
  std::vector<std::string> queues{};  // empty: all
  std::string submitted_by{};         // "ann@build1", or "ann" on any machine; empty: anybody
  core::JobId before{};               // 0: from the newest; otherwise ids below this one
  uint32_t limit = 100;
};

struct JobRecord {                                     // everything of one job
  core::JobRow job;                                    // in lists without spec_yaml
  std::vector<core::AttemptRow> attempts;              // ascending
  std::vector<core::RankRow> ranks;                    // of the last attempt, ascending
  std::optional<core::CheckpointRow> last_checkpoint;  // newest committed or verified
  std::optional<core::CheckpointRow>
      best_checkpoint;  // newest of those that was the best; of GetJob
  core::EventSeq last_event;
};

struct RetentionLimits {
  base::Duration finished_jobs_age{};  // 0: no limit by age
  uint64_t finished_jobs_count = 0;    // 0: no limit by number
  base::Duration events_age{};
  uint64_t events_count = 0;
  base::Duration
      idempotency_window{};  // a job with a key stays at least so long after its submission
};
struct RetentionFound {
  std::vector<core::JobId> jobs;  // at most 1000 at a time, oldest first
  core::EventSeq events_up_to;
};

// Committed state only. Each instance belongs to one thread at a time; make as many as needed.
class StateReader {
 public:
  virtual ~StateReader() = default;
  virtual absl::StatusOr<JobRecord> GetJob(core::JobId job) = 0;  // NotFound
  // NotFound; attempt 0: of the job's last attempt.
  virtual absl::StatusOr<core::RankRow> GetRank(const protocol::RankKey& key) = 0;
  virtual absl::StatusOr<core::JobId> FindJobByName(
      const std::string& name) = 0;  // newest; NotFound
  // 0 when the key is unknown.
  virtual absl::StatusOr<core::JobId> FindIdempotencyKey(const std::string& key,
                                                         std::string* request_digest) = 0;
  virtual absl::StatusOr<std::vector<JobRecord>> ListJobs(
      const JobFilter& filter) = 0;  // newest first
  virtual absl::StatusOr<std::vector<core::CheckpointRow>> ListCheckpoints(
      core::JobId job, bool include_deleted) = 0;  // newest first
  virtual absl::StatusOr<core::CheckpointRow> GetCheckpoint(core::CheckpointId id) = 0;
  virtual absl::StatusOr<std::vector<core::NodeRow>> ListNodes() = 0;          // by id
  virtual absl::StatusOr<std::string> NodeName(const core::NodeId& node) = 0;  // empty: not known
  // Ascending, after `cursor`; job 0: all.
  virtual absl::StatusOr<std::vector<core::EventRow>> ListEvents(core::JobId job,
                                                                 core::EventSeq cursor,
                                                                 uint32_t limit) = 0;
  // The last `limit` of them, ascending.
  virtual absl::StatusOr<std::vector<core::EventRow>> ListNewestEvents(core::JobId job,
                                                                       uint32_t limit) = 0;
  virtual absl::StatusOr<std::map<core::JobState, uint64_t>> CountJobs() = 0;
  virtual absl::StatusOr<RetentionFound> FindExpired(const RetentionLimits& limits,
                                                     base::WallTime now) = 0;
};

class StateStore {
 public:
  virtual ~StateStore() = default;
  // Everything a start needs. A new store makes its cluster id (given) with term 0.
  virtual absl::StatusOr<core::Snapshot> Load(const core::ClusterId& id_if_new) = 0;
  // All of `changes` in one transaction, durable on return. After any error nothing of it is there;
  // DataLoss: an fsync failed, the process must be replaced.
  virtual absl::Status Commit(std::span<const core::Change> changes) = 0;
  virtual absl::StatusOr<std::unique_ptr<StateReader>> NewReader() = 0;
};

// `path`: the file state.db. `vfs`: the name of a registered SQLite VFS, for tests; empty: the real
// one. Errors say what to do: locked by another coordinator, newer schema version, read-only, full
// disk.
struct SqliteOptions {
  std::string path;
  std::string vfs;
  bool synchronous = true;  // false only in the test that shows the power-cut test can fail
};
absl::StatusOr<std::unique_ptr<StateStore>> OpenSqliteStore(const SqliteOptions& options);

}  // namespace coxswain::coordinator::store
