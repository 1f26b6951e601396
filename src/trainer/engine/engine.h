// What a rank computes, without LibTorch in sight. One object per process.
//
// Threads: all methods from one thread (the engine's), but for Abort, phase and those so marked.
// Errors: UNAVAILABLE: a collective failed (a peer is gone, a time-out, Abort): parameters,
// optimizer and position are those of the last finished step, and Join may be called again. (With
// a sharded optimizer, a step whose update had begun is finished there, on every rank.)
// INVALID_ARGUMENT: the user's settings; FAILED_PRECONDITION: the user's data. RESOURCE_EXHAUSTED:
// out of memory. UNIMPLEMENTED: this machine cannot train on GPUs. CANCELLED: its GPU is lost to
// this process, which has to end. DEADLINE_EXCEEDED: the data's store has been away for too long.
// INTERNAL: a bug or LibTorch's refusal.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/config/job_spec.h"
#include "common/protocol/trainer_messages.h"
#include "trainer/blob/shard.h"
#include "trainer/blob/tensor_info.h"
#include "trainer/core/training_plan.h"
#include "trainer/engine/data/dataset.h"

namespace coxswain::trainer::engine {

// Where a step is in its update: the gradients are summed; a sharded optimizer's part is updated;
// the others' have arrived. The last: in a later Join, which finishes such a step.
enum class UpdateMoment : uint8_t { kSummed, kUpdated, kGathered, kGatheredAgain };

struct EngineSettings {
  config::JobSpec spec;
  uint32_t threads = 1;               // for one operator
  std::string address = "127.0.0.1";  // of this machine on the data network: what Gloo binds to
  base::Duration form_limit = base::seconds(30);
  base::Duration collective_limit = base::seconds(300);
  // With a range of batches, each Nth step is measured for the gradient noise scale: that takes two
  // passes over the gradients (alone: every fourth of those, once it is known).
  int64_t noise_every_steps = 16;
  // For tests: called before each forward and each backward pass over so many samples of a training
  // step; may throw, as LibTorch does when there is no memory.
  std::function<void(int64_t samples, bool backward)> before_pass;
  // For tests likewise; may throw, as a collective does that fails.
  std::function<void(UpdateMoment)> at_update;
  // For tests: the state's bytes are those of copies, as they are of tensors on a GPU.
  bool copy_state = false;
  // For tests: a rank alone forms a group, and sums its gradients, as one on a GPU does.
  bool group_alone = false;
  // For tests: batches are copied on the loader's thread, as they are to a GPU.
  bool send_batches = false;
  // For tests: stands for Gpu::Record (device/gpu.h).
  std::function<std::function<void()>(const std::function<void()>& work)> record;
  // The bytes of spec.model.module or spec.model.plugin.
  std::shared_ptr<const std::string> model_file;
};

// Stands for SampleShape::classes where a check does not know how many there will be.
inline constexpr int64_t kAnyClasses = -1;

struct ModelTensors {
  std::vector<blob::TensorInfo> parameters, buffers;
};

// Beside model.safetensors and config.json in an exported model.
struct ModelFile {
  std::string name, bytes;
};

// The samples; they outlive the engine.
struct Datasets {
  const data::Dataset* train = nullptr;
  const data::Dataset* evaluate = nullptr;  // may be null
};

struct GroupSettings {
  base::Generation generation;
  base::Rank rank = 0;
  uint32_t world_size = 1;
  std::string store_host;  // of rank 0
  uint16_t store_port = 0;
  int store_fd = -1;          // rank 0: its bound socket, listening; stays the caller's
  int64_t global_batch = 0;   // samples per step; 0: as the job file says
  uint32_t memory_kills = 0;  // attempts that the kernel ended for lack of memory, so far
};

// Averages of what the gradient noise scale is made of (optim/gradient_noise.h).
struct NoiseAverages {
  double signal = 0, noise = 0;  // squared norm of the mean gradient; trace of the covariance
  int64_t count = 0;             // measurements
};

// What early stopping goes by.
struct EvaluationRecord {
  int64_t step = 0;       // of the last evaluation; 0: none yet
  int64_t best_step = 0;  // and what it gave: the best so far
  double best = 0;
  int64_t no_better = 0;  // evaluations in a row since
};

// Whole state as it was saved, for Join to take over. `bytes(i)` is row-major data of tensors[i].
struct SavedState {
  int64_t step = 0;
  int64_t position = 0;
  std::vector<blob::TensorInfo> tensors;
  std::function<const char*(size_t index)> bytes;
  NoiseAverages noise;
  EvaluationRecord evaluations;
  int64_t most_at_once = 0;   // as Engine::MostAtOnce
  uint32_t memory_kills = 0;  // that this takes account of
  bool model_only = false;    // to begin with: no optimizer's state, which begins at zero
};

struct Joined {
  int64_t step = 0;
  int64_t position = 0;
  core::TrainingPlan plan;
  int64_t most_at_once = 0;  // as Engine::MostAtOnce
};

struct StepFlags {
  bool save = false, save_wanted = false, stop = false, stop_with_save = false;
};

struct StepResult {
  int64_t step = 0;      // count of updates, this one included
  int64_t position = 0;  // after it
  int64_t samples = 0;   // of the global batch
  double loss = 0;       // mean over the global batch: its samples, or the tokens they predict
  double learning_rate = 0;
  double gradient_norm = -1;  // before clipping; -1: not known of this step
  double gradient_noise = 0;  // gradient noise scale, in samples; 0: not known
  int64_t most_at_once = 0;   // as Engine::MostAtOnce
  StepFlags agreed;           // any rank's flag
  std::string notice;         // for the log; mostly empty
  // Not empty: a loss or the gradients' norm is not finite, and nothing was applied. Says which
  // parameter. The same on every rank.
  std::string not_finite_at;
  std::vector<base::Rank> not_finite;  // ranks whose loss was not finite
  // Where the time went. Backward includes the all-reduce it hides; all_reduce is what it could
  // not.
  base::Duration data{}, forward{}, backward{}, all_reduce{}, optimizer{}, total{};
};

// What rank 0 says of the best checkpoint as all evaluate (trainer/core): the others say nothing.
struct BestFlags {
  bool has_best = false;
  double best = 0;
  int64_t held_step = 0;
};

struct EvaluationResult {
  double loss = 0;        // mean over the evaluation set
  double accuracy = 0;    // 0..1; below 0: targets are numbers, and the next two are told
  double mse = 0;         // mean squared error in the target's own unit
  double r2 = 0;          // coefficient of determination
  double perplexity = 0;  // of text: exp(loss); otherwise 0
  int64_t samples = 0;
  int64_t at_once = 0;  // not 0: memory ran out; from here on so many samples at a time
  // What spec.checkpoint.best goes by (not a number: there is no such key), and rank 0's flags.
  double metric = std::numeric_limits<double>::quiet_NaN();
  BestFlags agreed;
  std::string stop;  // not empty: training ends here, for this reason (spec.train.early_stopping)
};

class Engine {
 public:
  virtual ~Engine() = default;

  // The model, from the seed, at step 0. Called once, first.
  virtual absl::Status Prepare(const EngineSettings& settings, Datasets sets) = 0;
  // Instead of that, for a check of a job: makes the model, tries it on made-up rows, and says
  // what it is made of.
  virtual absl::StatusOr<ModelTensors> Inspect(const EngineSettings& settings,
                                               const data::SampleShape& samples) = 0;

  // Forms the group of a generation (after leaving the one before), then makes all ranks equal: the
  // most advanced rank's state goes to the others. If no rank has any, or a part of a sharded
  // optimizer's is on none of them, rank 0 calls `restore`, which gives a saved state, nothing
  // (start afresh), or an error that ends Join on every rank.
  using Restore = std::function<absl::StatusOr<std::unique_ptr<SavedState>>()>;
  virtual absl::StatusOr<Joined> Join(const GroupSettings& group, const Restore& restore) = 0;

  // Frees the engine's thread from a collective that cannot end. From any thread; harmless
  // otherwise.
  virtual void Abort() = 0;

  // One optimizer step over the next global batch. Collective.
  virtual absl::StatusOr<StepResult> Step(const StepFlags& flags) = 0;
  // The evaluation set, divided over the ranks. Collective.
  virtual absl::StatusOr<EvaluationResult> Evaluate(const BestFlags& flags) = 0;

  // The whole state (parameters, buffers, optimizer, average of the weights), in a fixed order: the
  // same on every rank.
  virtual const std::vector<blob::TensorInfo>& StateTensors() const = 0;
  // What a rank saves of it; over all ranks every byte once. That which every rank has is split
  // evenly, and of a sharded optimizer each saves its own. Of the present group, after Join.
  virtual std::vector<blob::Piece> Share() const = 0;
  // From byte `offset` of a tensor on, within what this rank has of it: all, or of a sharded
  // optimizer what Share says. Valid until the next Step, Join or destruction.
  virtual const char* StateBytes(size_t index, uint64_t offset) const = 0;
  const char* StateBytes(size_t index) const { return StateBytes(index, 0); }
  // The first so many of StateTensors() are the model.
  virtual size_t ModelTensorCount() const = 0;
  // What is evaluated and exported as the model's tensors[index]: the average of the weights
  // (spec.train.ema), or they themselves. As StateBytes.
  virtual const char* ModelBytes(size_t index) const = 0;
  // Which of the state's tensors that is.
  virtual std::string ModelName(size_t index) const = 0;
  // What Share and, with `model`, ModelBytes show is brought from the GPU into the machine's own
  // memory: before those are asked for, which then cannot fail. On a CPU nothing.
  virtual absl::Status FetchState(bool model) = 0;
  // Belongs to the state, but depends on no job's tensors.
  virtual NoiseAverages Noise() const = 0;
  virtual EvaluationRecord Evaluations() const = 0;
  // Memory has run out: no more samples of a step than these go through the model at once. 0: it
  // has not. Smaller ones sum up to the same gradients.
  virtual int64_t MostAtOnce() const = 0;
  virtual uint32_t MemoryKills() const = 0;  // as SavedState::memory_kills
  // config.json of the exported model: recipe, shapes, classes, preprocessing.
  virtual std::string ModelConfig() const = 0;
  // What else belongs to it: a TorchScript module as a file again. `instead`: not empty: bytes of
  // each of the model's tensors, which it then holds; they and the engine are the same afterwards.
  virtual absl::StatusOr<std::vector<ModelFile>> ModelFiles(const std::vector<char*>& instead) = 0;

  // What it computes on, "NVIDIA H200"; empty: the CPU.
  virtual std::string GpuName() const = 0;
  // The most of its memory that tensors ever had, in bytes; 0: the CPU. From the engine's thread.
  virtual int64_t GpuPeakMemory() const = 0;
  // Where the engine's thread is. From any thread.
  virtual protocol::Phase phase() const = 0;
};

}  // namespace coxswain::trainer::engine
