// What one world is made of and what goes wrong in it, drawn from its seed: each fault is on in
// some worlds and off in others, so that rare meetings of few faults happen too.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/core/rows.h"
#include "coordinator/core/scheduling/settings.h"
#include "sim/blob_store.h"
#include "sim/dice.h"
#include "trainer/core/training_plan.h"

namespace coxswain::sim {

enum class Fault : uint8_t {
  kKillCoordinator,
  kRefuseCommits,
  kSlowCommits,
  kLoseSync,
  kStallCoordinator,
  kJumpClock,
  kRestoreBackup,
  kKillWorker,
  kStopWorker,
  kCrashMachine,
  kCutUp,
  kCutDown,
  kCutBoth,
  kCutData,
  kBreakStream,
  kBreakSocket,
  kKillRank,
  kOutOfMemory,
  kCrashRank,
  kHangRank,
  kKillShim,
  kKillTask,
  kBlobOutage,
  kDamageBlob,
  kDrain,
  kCancel,
  kCloneDisk,
  kFillDisk,
  // Drawn apart (DrawExtras), as what follows them below.
  kForget,
  kBreakGroup,
  kLast
};
constexpr size_t kFaults = static_cast<size_t>(Fault::kLast);
constexpr size_t kFirstExtra = static_cast<size_t>(Fault::kForget);
const char* ToString(Fault fault);

struct MachinePlan {
  uint32_t cpus = 4;
  uint32_t gpus = 0;
  std::string gpu_kind = "GPU";
  std::map<std::string, std::string> labels;
};

// What --resume-from names: another job, its newest checkpoint by id, or that one by URI.
enum class ResumeBy : uint8_t { kNothing, kJob, kCheckpoint, kUri };

// What the job file says, and what its program does.
struct JobPlan {
  uint32_t number = 0;  // from 1; spec_yaml is "sim-job N"
  coordinator::core::JobRequest request;
  trainer::core::TrainingPlan plan;
  base::Duration step_time{};
  int64_t save_every_steps = 0;
  base::Duration save_every_time{};
  // The gradient's noise, by turns, for so many samples each; 0: it is not measured.
  double noise_low = 0, noise_high = 0;
  int64_t noise_turn = 1;
  // spec.checkpoint.best, by a number of MetricOf.
  bool keeps_best = false, higher_is_best = false, exports_best = false;
  bool bad_data = false;         // the check finds it, or the trainer
  int64_t not_finite_at = 0;     // step with a NaN; 0: never
  int64_t crash_at = 0;          // rank 0 crashes in this step, always; 0: never
  int64_t out_of_memory_at = 0;  // likewise
  base::Time submit_at;
  std::optional<base::Time> cancel_at;
  bool cancel_saves = false;
  ResumeBy resume_by = ResumeBy::kNothing;
  uint32_t resume_of = 0;  // number of an earlier job
  std::string user;

  double NoiseAt(int64_t position) const {
    return position / noise_turn % 2 == 0 ? noise_low : noise_high;
  }
  // What an evaluation of this state says; now and then NaN, and the same of several states.
  double MetricOf(const TrainState& state) const;
  bool Better(double metric, double than) const {
    return higher_is_best ? metric > than : metric < than;
  }
};

// How long the store keeps what has ended.
struct Retention {
  base::Duration age{};     // of finished jobs; 0: no limit
  uint64_t count = 0;       // of finished jobs; 0: no limit
  base::Duration window{};  // a key is remembered for so long at least
  base::Duration pause{};   // between two looks
};

struct Options {
  std::vector<MachinePlan> machines;
  std::vector<JobPlan> jobs;
  std::array<bool, kFaults> faults{};
  base::Duration faults_for{};               // then all is healed
  base::Duration fault_pause{};              // mean
  base::Duration delay_low{}, delay_high{};  // of messages between machines
  base::Duration commit_low{}, commit_high{};
  bool shared_files = false;    // file:// is one place for all machines
  uint32_t repeat_percent = 0;  // of calls that a client sends again though it was answered
  std::optional<Retention> retention;
  coordinator::core::SchedulingSettings scheduling;
  bool strike_batch_moves = false;  // a fault follows soon after a new generation's other batch
  bool backup_of_starts = false;    // a backup is made while a rank is placed and not yet started
  bool On(Fault fault) const { return faults[static_cast<size_t>(fault)]; }
};

Options DrawOptions(uint64_t seed);
// What only some worlds have: racks, labels and kinds of GPUs, jobs that begin with another's
// checkpoint, retention, nodes that are forgotten, policies and queues, ranges of batches. From
// dice of its own, so that the other worlds are what they were before there was any of it.
void DrawExtras(uint64_t seed, Options* options);

}  // namespace coxswain::sim
