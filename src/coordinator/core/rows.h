// The coordinator's durable state, as rows. Each struct is one table of the store (store/ maps them
// to SQL one to one); the primary key comes first. Soft state (heartbeats, progress) is not here.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/protocol/worker_messages.h"

namespace coxswain::coordinator::core {

using base::Attempt;
using base::CheckpointId;
using base::ClusterId;
using base::EventSeq;
using base::Generation;
using base::Incarnation;
using base::JobId;
using base::NodeId;
using base::Rank;
using base::TaskId;
using base::Term;
using base::WallTime;

// Numbers as in coxswain.v1.JobState; never renumbered (they are stored).
enum class JobState : uint8_t {
  kPending = 1,
  kRunning,
  kRecovering,
  kCompleted,
  kFailed,
  kCancelled,
  kTimeout,
  kNodeFail,
  kPreempted,
  kOutOfMemory
};
const char* ToString(JobState state);  // "PENDING" ...
constexpr bool IsFinal(JobState s) {
  return s != JobState::kPending && s != JobState::kRunning && s != JobState::kRecovering;
}

// Numbers as in coxswain.v1.FailureCause.
enum class Cause : uint8_t {
  kNone = 0,
  kUser,
  kInfrastructure,
  kOutOfMemory,
  kTimeLimit,
  kCancelled,
  kPreempted,  // its slots were wanted by another job, or its node was to be empty
  kResized     // it is to go on with another number of ranks
};

// It saves and lets go of its slots, and waits for others.
constexpr bool WaitsAgain(Cause cause) {
  return cause == Cause::kPreempted || cause == Cause::kResized;
}

// Its ranks are asked to stop, and nothing is wrong.
constexpr bool IsOnPurpose(Cause cause) {
  return cause == Cause::kCancelled || cause == Cause::kTimeLimit || WaitsAgain(cause);
}

// Something went wrong. Another attempt may follow.
constexpr bool IsFailure(Cause cause) { return cause != Cause::kNone && !IsOnPurpose(cause); }

// How near each other the ranks of a gang have to be. Stored; never renumbered.
enum class Within : uint8_t { kFleet = 0, kRack, kMachine };

// What scheduling needs of a job file; parsed by the shell, which also keeps the text.
struct JobRequest {
  std::string name;
  std::map<std::string, std::string> labels;
  uint32_t workers = 1;
  uint32_t cpus = 1;  // per rank
  uint32_t gpus = 0;  // per rank
  int64_t memory_bytes = 0;
  std::map<std::string, std::string> node_selector;  // labels that its nodes must have
  std::vector<std::string> gpu_kinds;  // parts of names of GPUs, the best liked first; empty: any
  Within within = Within::kFleet;
  std::string queue;                          // empty: the coordinator's default
  int32_t priority = 0;                       // higher goes first in its queue
  uint32_t min_workers = 0, max_workers = 0;  // 0: as many as `workers`
  int64_t batch = 0, max_batch = 0;           // samples per step; max 0: it stays as it is
  int64_t at_once = 0;  // of a rank's samples, in its model at a time; 0: never fewer than it is
  base::Duration expected_time{};   // how long it is to run, as declared; 0: not known
  bool end_when_preempted = false;  // otherwise it waits for slots again
  bool own_program = false;         // of the user's: its exit codes are its own
  std::string code;                 // "sha256:...", shipped with it; empty: none
  uint32_t max_attempts = 3;
  base::Duration time_limit{};  // 0: none
  base::Duration grace{};
  uint32_t keep_checkpoints = 3;
  std::string store;         // URI; empty: the coordinator's default
  bool local_store = false;  // file:// : on one node, or on several that prove it to be one place
  // Of --resume-from JOB: the checkpoints that it had then, newest first (resume_uri is the first).
  std::vector<protocol::RestoreCandidate> resume_from;
  // If that is in a file:// store: the machine it was written on. Empty: not known, or everywhere.
  NodeId resume_node;
  friend bool operator==(const JobRequest&, const JobRequest&) = default;
};

inline uint32_t MinWorkers(const JobRequest& r) {
  return r.min_workers > 0 ? r.min_workers : r.workers;
}
inline uint32_t MaxWorkers(const JobRequest& r) {
  return r.max_workers > 0 ? r.max_workers : r.workers;
}
// Its number of ranks may be moved.
inline bool IsElastic(const JobRequest& r) { return MinWorkers(r) < MaxWorkers(r); }

struct Exit {
  Rank rank = 0;
  NodeId node;
  protocol::ExitRecord record;
  friend bool operator==(const Exit&, const Exit&) = default;
};

// What the lowest rank had said last when an attempt ended.
struct LastProgress {
  protocol::TrainerProgress progress;
  WallTime at;
  static auto Fields(const protocol::TrainerProgress& p) {
    return std::tie(p.generation, p.step, p.phase, p.epoch, p.epochs, p.total_steps, p.position,
                    p.loss, p.samples_per_second, p.remaining_ms, p.has_eval, p.eval_loss,
                    p.eval_accuracy, p.global_batch, p.gradient_noise, p.waiting_for, p.at_once);
  }
  friend bool operator==(const LastProgress& a, const LastProgress& b) {
    return a.at == b.at && Fields(a.progress) == Fields(b.progress);
  }
};

// What a step took, as measured.
struct StepTime {
  uint32_t nodes = 1, workers = 1;
  int64_t batch = 0;   // samples, over all ranks
  double seconds = 0;  // mean of the newest
  friend bool operator==(const StepTime&, const StepTime&) = default;
};

// What is known of how a job's speed depends on its size. See scheduling/speed_model.h.
struct Speed {
  std::vector<StepTime> steps;  // by nodes, workers, batch: at most kMostStepTimes
  double gradient_noise = 0;    // see TrainerProgress
  friend bool operator==(const Speed&, const Speed&) = default;
};

// How far the check of data and store has come.
enum class CheckState : uint8_t { kNotChecked = 0, kChecking, kPassed };

struct JobRow {
  JobId id;
  JobRequest request;
  std::string spec_yaml;        // complete: with secrets, never shown
  std::string idempotency_key;  // empty: none
  std::string
      request_digest;  // of everything in the request: tells a repeat from a reuse of the key
  std::string submitted_by;
  JobState state = JobState::kPending;
  std::string reason;  // for people; of final states also why
  Cause cause = Cause::kNone;
  protocol::FailureKind kind = protocol::FailureKind::kNone;  // of the attempt that decided the end
  CheckState check = CheckState::kNotChecked;
  WallTime submitted, started, ended;
  Attempt attempt;        // current or last one; 0: none yet
  uint32_t failures = 0;  // attempts that count against max_attempts
  Generation generation;  // highest ever made
  uint32_t preemptions = 0;
  uint32_t resizes = 0;
  base::Duration ran{};        // running time of ended attempts, for time_limit
  base::Duration slot_time{};  // the same, times the GPUs held, or the CPU slots of a job without
  bool cancel_requested = false;
  std::string cancel_reason;
  std::string resume_uri;  // of --resume-from, resolved to a checkpoint folder
  bool allow_uncommitted = false;
  std::string model_uri;
  std::optional<Exit> exit;                   // of the rank that decided the end
  std::optional<LastProgress> last_progress;  // of the last attempt that told any
  Speed speed;                                // of ended attempts
  friend bool operator==(const JobRow&, const JobRow&) = default;
};

struct AttemptRow {
  JobId job;
  Attempt number;
  WallTime started, ended;  // ended 0: running
  uint32_t workers = 1;     // ranks of it
  Cause cause = Cause::kNone;
  std::string reason;
  std::optional<Exit> exit;
  std::string resumed_uri;
  CheckpointId resumed;
  int64_t resumed_position = 0;
  int64_t last_step = 0;    // highest step that a rank had reported when it ended
  bool user_error = false;  // a trainer said so: another try cannot help
  protocol::FailureKind kind = protocol::FailureKind::kNone;
  friend bool operator==(const AttemptRow&, const AttemptRow&) = default;
};

// A process slot given to a rank, from placement until its exit is known.
struct RankRow {
  protocol::RankKey key;
  NodeId node;
  Incarnation incarnation;
  uint32_t local_rank = 0;
  uint32_t cpus = 1;
  std::vector<std::string> gpu_uuids;
  protocol::RankState state = protocol::RankState::kStarting;
  bool stop_requested = false;
  bool finished = false;  // it reported TrainingFinished
  int64_t pid = 0;        // 0: not known to have been started
  std::optional<protocol::ExitRecord> exit;
  friend bool operator==(const RankRow&, const RankRow&) = default;
};

// Notes of records that the coordinator made itself begin so: no process gave their code. One of a
// lost node may still run, where nobody can ask.
constexpr std::string_view kLost = "was lost";
inline bool IsLost(const RankRow& row) { return row.exit && row.exit->note.starts_with(kLost); }
inline const char* ShownState(const RankRow& row) {
  return IsLost(row) ? "LOST" : protocol::ToString(row.state);
}

struct GenerationRow {
  JobId job;
  Generation generation;
  Attempt attempt;
  std::vector<protocol::Member> members;
  WallTime made, formed;  // formed 0: not yet
  bool closed = false;    // ended: nothing of it is accepted any more
  int64_t batch = 0;      // samples per step; 0: the job file's
  friend bool operator==(const GenerationRow&, const GenerationRow&) = default;
};

// Numbers as in coxswain.v1.CheckpointState.
enum class CheckpointState : uint8_t {
  kOpen = 1,
  kCommitted,
  kVerified,
  kCorrupt,
  kAborted,
  kDeleted,
  kDeleting  // shown only, never stored: see ShownState
};
const char* ToString(CheckpointState state);

struct CheckpointRow {
  CheckpointId id;
  JobId job;
  Generation generation;
  CheckpointState state = CheckpointState::kOpen;
  int64_t step = 0;
  int64_t position = 0;
  std::string uri;
  std::string manifest_hash;
  uint64_t bytes = 0;
  uint32_t shards = 0;
  bool final = false;
  bool best = false;  // so far, by an evaluation (spec.checkpoint.best), which is `metric`
  double metric = 0;
  bool collect = false;  // its objects are to be deleted (then: kDeleted)
  NodeId node;           // where rank 0 ran: the machine that holds a file:// checkpoint
  WallTime opened, committed, verified;
  std::string reason;
  friend bool operator==(const CheckpointRow&, const CheckpointRow&) = default;
};

inline bool IsWhole(const CheckpointRow& row) {
  return row.state == CheckpointState::kCommitted || row.state == CheckpointState::kVerified;
}

// A restore may try it.
inline bool CanRestore(const CheckpointRow& row) { return IsWhole(row) && !row.collect; }

// What users are told: of one that is being deleted, some objects may be gone already.
inline CheckpointState ShownState(const CheckpointRow& row) {
  return IsWhole(row) && row.collect ? CheckpointState::kDeleting : row.state;
}

struct NodeRow {
  NodeId id;
  std::string name;
  bool draining = false;
  bool cordoned = false;  // draining, by the coordinator itself; the reason tells the evidence
  std::string drain_reason;
  WallTime drain_by;              // its jobs are to be gone by then; 0: they go on
  protocol::Inventory inventory;  // last known
  WallTime first_seen;
  friend bool operator==(const NodeRow&, const NodeRow&) = default;
};

// What a user has had of a queue, as it counts for fair shares: see scheduling/usage.h.
struct UsageRow {
  std::string queue, user;
  int64_t amount = 0;  // charge units times milliseconds, decayed to `as_of`
  WallTime as_of;
  friend bool operator==(const UsageRow&, const UsageRow&) = default;
};

// The history that people read; also the watch cursor.
struct EventRow {
  EventSeq seq;
  WallTime time;
  JobId job;         // 0: of the cluster
  NodeId node;       // empty: none
  std::string kind;  // "JobSubmitted" ...
  std::string text;
  std::string severity = "info";  // info, warning, error
  Attempt attempt;
  Generation generation;
  friend bool operator==(const EventRow&, const EventRow&) = default;
};

// One row: what the cluster is and the counters that never go back.
struct ClusterRow {
  ClusterId id;
  Term term;
  JobId last_job;
  CheckpointId last_checkpoint;
  TaskId last_task;
  EventSeq last_event;
  friend bool operator==(const ClusterRow&, const ClusterRow&) = default;
};

// A checkpoint was proved wrong by another job that resumed from it. Its own job may have ended, so
// that its row is not in memory.
struct CheckpointDamaged {
  CheckpointId id;
  std::string reason;
};

// A row written, or a row removed (by key).
struct DeleteJob {
  JobId job;
};  // with everything of it; retention
struct DeleteEventsUpTo {
  EventSeq seq;
};
struct DeleteNode {
  NodeId id;
};
struct DeleteUsage {
  std::string queue, user;
};

using Change = std::variant<ClusterRow, JobRow, AttemptRow, RankRow, GenerationRow, CheckpointRow,
                            NodeRow, EventRow, UsageRow, CheckpointDamaged, DeleteJob,
                            DeleteEventsUpTo, DeleteNode, DeleteUsage>;

// How long a job ran that completed.
struct RunTime {
  std::string user, name;
  base::Duration ran{};
};

// What a start finds in the store: live jobs whole (not final); final ones only while work on their
// checkpoints is unfinished: one is kCommitted (to be verified), or is to be collected (`collect`
// is set and the state is not kDeleted).
struct Snapshot {
  ClusterRow cluster;
  std::vector<NodeRow> nodes;
  std::vector<JobRow> jobs;          // not final, and final ones with unfinished checkpoints
  std::vector<AttemptRow> attempts;  // of the jobs that are not final
  std::vector<RankRow> ranks;  // of the jobs that are not final: last attempt's, and not exited
  std::vector<GenerationRow> generations;  // of the jobs that are not final, newest only
  std::vector<CheckpointRow> checkpoints;  // of all these jobs, but kDeleted ones
  std::vector<UsageRow> usage;
  std::vector<RunTime> run_times;  // of jobs that completed lately, the newest last
};

}  // namespace coxswain::coordinator::core
