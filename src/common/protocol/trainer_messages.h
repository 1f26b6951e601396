// What a trainer and the coordinator say to each other. The worker passes it on unread.
//
// Reliability: a trainer repeats a report marked "until answered" every Deadlines::Repeat() and
// after every reconnection; handling it twice is harmless. The coordinator repeats orders after a
// worker's stream opens, from the difference between its tables and what the worker says it has.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"

namespace coxswain::protocol {

using base::CheckpointId;
using base::Generation;
using base::Incarnation;
using base::Rank;

// Where a rank is within a step; what stall detection and `cox describe` show.
enum class Phase : uint8_t {
  kStarting,
  kWaiting,
  kForming,
  kRestoring,
  kData,
  kForward,
  kBackward,
  kAllReduce,
  kOptimizer,
  kEvaluation,
  kCheckpoint,
  kExport,
  kDone,
  kProgram  // a program of the user's own runs
};
const char* ToString(Phase phase);

// What went wrong, told apart for people and for CI. Numbers as in coxswain.v1.FailureKind; never
// renumbered (they are stored).
enum class FailureKind : uint8_t {
  kNone = 0,
  kSettings,  // the job file asks for what cannot be: shapes, a checkpoint of another model
  kData,      // missing, cut or wrong training data
  kDiverged,  // a loss or gradient that is no number
  kOutOfMemory,
  kBug,         // the program crashed or ended with a code of its own
  kKilled,      // a signal from outside
  kLostNode,    // its machine was given up
  kLostPeer,    // it lost the other ranks, and none of them is known to have failed
  kStore,       // checkpoint store or network
  kNotStarted,  // the process could not be started
  kDevice       // its GPU failed, or was taken from it
};
const char* ToString(FailureKind kind);  // "LOST_PEER"

// ---- coordinator -> trainer ----

struct Member {
  Rank rank = 0;
  Incarnation incarnation;
  std::string address;  // "10.0.0.1:29511": the data address of that trainer's own store socket
  friend bool operator==(const Member&, const Member&) = default;
};

// One checkpoint that a restore may use.
struct RestoreCandidate {
  CheckpointId id;            // 0: given by URI
  std::string uri;            // its folder
  std::string manifest_hash;  // 16 hex digits of XXH3-64; empty: not known (URI)
  friend bool operator==(const RestoreCandidate&, const RestoreCandidate&) = default;
};

// Join this generation: form the group (rank 0's address hosts its TCPStore), restore, train.
struct FormGeneration {
  Generation generation;
  std::vector<Member> members;            // ascending by rank; world size = members.size()
  std::vector<RestoreCandidate> restore;  // newest first; empty: start afresh
  bool allow_uncommitted = false;
  int64_t global_batch = 0;  // samples per optimizer step; 0: as the job file says
  // spec.checkpoint.best: the newest that was the best when it was saved, and its evaluation.
  bool has_best = false;
  RestoreCandidate best{};
  double best_metric = 0;
  uint32_t memory_kills = 0;  // attempts of the job that the kernel ended for lack of memory
};
// The row exists: shares of the save at `step` may now be uploaded below `uri`.
struct CheckpointOpened {
  CheckpointId id;
  int64_t step = 0;
  Generation generation;
  std::string uri;  // "file:///ckpt/CLUSTER/j12/step-00000500-g3-9f81c2d4"; never used before
};
// All shares are stored (to rank 0 of the generation): write the manifest, report ManifestWritten.
struct Shard {
  Rank rank = 0;
  std::string object;  // relative to the checkpoint's uri
  uint64_t bytes = 0;  // size of the object
  std::string hash;    // XXH3-64 of the object's bytes, 16 hex digits
  friend bool operator==(const Shard&, const Shard&) = default;
};
struct WriteManifest {
  CheckpointId id;
  std::vector<Shard> shards;  // ascending by rank
};
// Recorded: rank 0 now writes the `committed` object beside the manifest. Sent to every rank.
struct CheckpointCommitted {
  CheckpointId id;
  std::string manifest_hash;
};
// Not recorded (stale generation, aborted ...): drop it.
struct CheckpointRefused {
  CheckpointId id;
  int64_t step = 0;
  Generation generation;
  std::string reason;
};
// Save at the next step that all ranks agree on.
struct SaveNow {
  std::string reason;
};
// End after the current step: with a checkpoint if `save`. The worker follows with signals after
// grace.
struct StopTraining {
  bool save = false;
  std::string reason;
};
// The report TrainingFinished is on disk; the trainer may exit.
struct FinishAcknowledged {};

using TrainerOrder =
    std::variant<FormGeneration, CheckpointOpened, WriteManifest, CheckpointCommitted,
                 CheckpointRefused, SaveNow, StopTraining, FinishAcknowledged>;

// ---- trainer -> coordinator ----

// First message of a process; repeated until a FormGeneration arrives.
struct TrainerReady {
  std::string address;    // bound socket for a TCPStore, on the data interface
  Generation generation;  // what it is in now; 0: none
};
// The group has formed and (rank 0) what was restored.
struct GenerationFormed {
  Generation generation;
  struct Refused {
    std::string uri;
    std::string reason;
    bool corrupt = false;  // proved wrong (hash, size, missing); false: could not be read now
    friend bool operator==(const Refused&, const Refused&) = default;
  };
  std::vector<Refused> refused;  // candidates that did not verify, newest first
  std::string restored_uri;      // empty: from the start
  CheckpointId restored;         // 0: none, or by URI
  int64_t step = 0;
  int64_t position = 0;
};
// Soft: at most one each Deadlines::Heartbeat() / 4, the newest replaces older ones.
struct TrainerProgress {
  Generation generation;
  int64_t step = 0;
  Phase phase = Phase::kStarting;
  int64_t epoch = 0;  // in progress, 1-based; the last one at the end
  int64_t epochs = 0;
  int64_t total_steps = 0;
  int64_t position = 0;
  double loss = 0;
  double samples_per_second = 0;
  int64_t remaining_ms = -1;
  bool has_eval = false;
  double eval_loss = 0;
  double eval_accuracy = 0;
  int64_t global_batch = 0;  // samples per optimizer step in this generation
  // The gradient noise scale, tr(cov of a sample's gradient) / |gradient|^2, in samples (McCandlish
  // et al. 2018, "simple"): with batches well below it, twice the batch is worth nearly two steps.
  // 0: not known.
  double gradient_noise = 0;
  std::string
      waiting_for;  // "checkpoint store s3://... unreachable since 12:03:11"; empty: nothing
  // Samples that go through this rank's model at a time since memory ran out; 0: it has not.
  int64_t at_once = 0;
};
// Rank 0, until answered (CheckpointOpened or CheckpointRefused): all ranks have a copy of `step`.
struct OpenCheckpoint {
  Generation generation;
  int64_t step = 0;
  int64_t position = 0;
  bool final = false;
  bool best = false;  // by its evaluation, which is `metric`
  double metric = 0;
};
// Every rank, until a WriteManifest/CheckpointCommitted/CheckpointRefused for it arrives.
struct ShardStored {
  CheckpointId id;
  Generation generation;
  Shard shard;
};
// Rank 0, until answered (CheckpointCommitted or CheckpointRefused).
struct ManifestWritten {
  CheckpointId id;
  Generation generation;
  std::string manifest_hash;
  uint64_t bytes = 0;  // all shards
  uint32_t shards = 0;
};
// A share could not be stored for good (the retries are over).
struct CheckpointFailed {
  CheckpointId id;
  int64_t step = 0;
  Generation generation;
  std::string reason;
};
// A collective failed: this rank kept its state of `step` and waits for a new generation.
struct CollectiveFailed {
  Generation generation;
  int64_t step = 0;
  std::string reason;
};
// All steps are done, the model is exported and the last checkpoint is committed. Until answered.
struct TrainingFinished {
  Generation generation;
  int64_t step = 0;
  int64_t position = 0;
  std::string model_uri;  // rank 0: where model.safetensors and config.json are
  bool stopped = false;   // ended by StopTraining, not at the last step
  std::string reason{};   // of a job that ended before its last step (early stopping); or empty
};
// The user's job cannot go on (bad data, non-finite loss ...). The process exits with code 10 after
// it.
struct TrainingFailed {
  std::string reason;
  bool user_error = true;
  FailureKind kind = FailureKind::kNone;
};

using TrainerReport = std::variant<TrainerReady, GenerationFormed, TrainerProgress, OpenCheckpoint,
                                   ShardStored, ManifestWritten, CheckpointFailed, CollectiveFailed,
                                   TrainingFinished, TrainingFailed>;

// ---- metrics: trainer -> worker -> coordinator's metrics store; not seen by any core ----

struct MetricPoint {
  std::string name;   // "loss", "eval.accuracy", "samples_per_second" ...
  int32_t rank = -1;  // -1: over all ranks
  int64_t step = 0;
  double value = 0;
  base::WallTime time;
  Generation generation;
  friend bool operator==(const MetricPoint&, const MetricPoint&) = default;
};

// Exit codes of cox-trainer, so that the cause is known even if its last message is lost.
enum TrainerExitCode : int {
  kExitOk = 0,
  kExitInternal = 1,         // a bug of ours
  kExitUserError = 10,       // data, settings or non-finite loss
  kExitInfrastructure = 11,  // store, network or peers
  kExitOutOfMemory = 12,     // an allocation failed and was caught
  kExitStopped = 13,         // told to stop
};

}  // namespace coxswain::protocol
