// Engine on LibTorch: on CPUs with Gloo, on a GPU with NCCL.
#pragma once

#include <ATen/core/Tensor.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "trainer/engine/collective/group.h"
#include "trainer/engine/collective/group_sockets.h"
#include "trainer/engine/data/batch_loader.h"
#include "trainer/engine/device/gpu.h"
#include "trainer/engine/device/host_copies.h"
#include "trainer/engine/device/prefetch.h"
#include "trainer/engine/device/row_tensors.h"
#include "trainer/engine/engine.h"
#include "trainer/engine/model/model.h"
#include "trainer/engine/optim/optimizer.h"
#include "trainer/engine/optim/weight_average.h"
#include "trainer/engine/training/control_vector.h"
#include "trainer/engine/training/early_stopping.h"
#include "trainer/engine/training/loss.h"
#include "trainer/engine/training/noise_meter.h"
#include "trainer/engine/training/shard_census.h"

namespace coxswain::trainer::engine {

class TrainingEngine : public Engine {
 public:
  absl::Status Prepare(const EngineSettings& settings, Datasets sets) override;
  absl::StatusOr<ModelTensors> Inspect(const EngineSettings& settings,
                                       const data::SampleShape& samples) override;
  absl::StatusOr<Joined> Join(const GroupSettings& group, const Restore& restore) override;
  void Abort() override;
  absl::StatusOr<StepResult> Step(const StepFlags& flags) override;
  absl::StatusOr<EvaluationResult> Evaluate(const BestFlags& flags) override;
  const std::vector<blob::TensorInfo>& StateTensors() const override { return state_info_; }
  std::vector<blob::Piece> Share() const override;
  using Engine::StateBytes;
  const char* StateBytes(size_t index, uint64_t offset) const override;
  const char* ModelBytes(size_t index) const override;
  absl::Status FetchState(bool model) override;
  std::string ModelName(size_t index) const override;
  size_t ModelTensorCount() const override { return model_tensors_; }
  NoiseAverages Noise() const override { return meter_.noise().averages(); }
  EvaluationRecord Evaluations() const override { return stopping_.record(); }
  int64_t MostAtOnce() const override { return most_at_once_; }
  uint32_t MemoryKills() const override { return memory_kills_; }
  std::string ModelConfig() const override;
  absl::StatusOr<std::vector<ModelFile>> ModelFiles(const std::vector<char*>& instead) override;
  std::string GpuName() const override { return gpu_name_; }
  int64_t GpuPeakMemory() const override { return gpu_ == nullptr ? 0 : gpu_->peak_memory(); }
  protocol::Phase phase() const override { return phase_.load(std::memory_order_relaxed); }

 private:
  // Runs `work` and turns what it throws into a status; `code` for what is not a want of memory.
  template <class Work>
  absl::Status Guard(absl::StatusCode code, Work work);

  absl::Status OfLostGpu(const std::string& error) const;
  // After a failure. Of a GPU that is lost nothing is given back: that would fail once more.
  absl::Status LeaveFailed(const absl::Status& failure, bool alone);

  void WatchGradients();
  void SetUpThread();
  void BuildModel();
  // The model's tensors go to the device.
  void MoveModel();
  void ListState();
  void LeaveGroup(bool broken);
  // Makes all ranks' states equal. Returns what `restore` said if it failed.
  absl::Status AgreeOnState(const Restore& restore);
  // Where the bytes of each tensor of the state are in it; null: it begins at zero.
  absl::StatusOr<std::vector<const char*>> Match(const SavedState& saved) const;
  absl::Status TakeOver(const SavedState& saved);
  void StartLoader();
  // `hashes`: of each rank's file of a user's own model.
  static absl::Status CheckSameFile(const at::Tensor& hashes);

  // With a sharded optimizer (sharded_join.cc).
  bool Sharded() const { return settings_.spec.train.optimizer.sharded; }
  // Of which each rank has a part alone.
  bool IsPart(size_t index) const {
    return Sharded() && index >= model_tensors_ &&
           index < model_tensors_ + optimizer_->state().size();
  }
  void HoldState();  // after optimizer_ was made
  void MakeShard();  // this group's, at zero
  absl::StatusOr<std::vector<RankStanding>> TellStandings();
  absl::Status AgreeOnShards(const Restore& restore);
  absl::Status RestoreShards(const Restore& restore, bool lost);
  void TakeSavedParts(const SavedState* saved);
  void BeginAnew();
  void FinishStep(const ShardCensus& census);
  void CatchUp(const ShardCensus& census);
  void SpreadParameters(const ShardCensus& census);
  void Reshard(const ShardCensus& census);
  // Bytes [begin, end) of one of the state's tensors go from `root`, which has them at `from`, to
  // all; each keeps what `to` is of them.
  void Spread(uint32_t root, uint64_t begin, uint64_t end, const char* from, const StatePart& to);
  void ShareUpdate(StepResult& result);

  // Of a step that is recorded (recorded.cc): what it was made for, where its batch goes in, and
  // what comes out.
  struct Recorded {
    int64_t unit = 0;
    RowTensors rows;
    at::Tensor weight, position;
    at::Tensor losses;                  // of each micro-batch
    std::vector<BatchMoments> moments;  // whose values, end to end, are:
    at::Tensor all_moments;
    std::vector<at::Tensor> gradients;
    std::function<void()> replay;
  };
  bool IsRecorded(const data::Batch& batch, StepResult& result);
  void Record(const data::Batch& batch, int64_t unit);
  void ForgetRecorded();
  void PassesOf(Recorded& r);
  void ForwardRecorded(const data::Batch& batch, const StepFlags& flags, StepResult& result);
  void TakeRecorded(const Recorded& r);

  // The parts of a step.
  absl::Status TryStep(const data::Batch& batch, const StepFlags& flags, StepResult& result);
  // After a step that memory ran out in: OK if it may be tried again, UNAVAILABLE if in a new
  // group.
  absl::Status PassFewer(const absl::Status& out_of_memory);
  // Samples that go through the model at a time.
  int64_t Unit(const data::Batch& batch) const;
  void Forward(const data::Batch& batch, const StepFlags& flags, StepResult& result);
  at::Tensor ForwardMicroBatch(const data::Batch& batch, const RowTensors& rows, int64_t begin);
  // What the model says, in the state's precision.
  at::Tensor Outputs(const Inputs& inputs, const ForwardPass& pass);
  void ResetGradients();
  std::vector<at::Tensor> Gradients() const;
  // Of a user's own model: every parameter has one, and those of the last micro-batch went out.
  void RequireGradients(base::Time backward_began) const;
  double GradientNorm() const;
  void ClipGradients(double norm);
  // False: a gradient is not finite.
  bool LookAtNorm(StepResult& result);
  void ApplyUpdate(StepResult& result);
  // The batch may be another one than the job file's.
  bool HasBatchRange() const { return settings_.spec.train.max_global_batch_size > 0; }
  double LearningRateOf(const StepResult& result) const;
  // What a rank alone had of a measured step's gradients half-way; otherwise 0 samples.
  struct HalfBatch {
    std::vector<at::Tensor> gradients;
    int64_t samples = 0;
  };
  // What the loss of a global batch is a mean over.
  double Terms(const data::Batch& batch) const;
  void MeasureNoise(const data::Batch& batch, const HalfBatch& half);
  void AgreeOnNoise(uint32_t root);
  void AgreeOnEvaluations(uint32_t root);
  void AgreeOnMemory(uint32_t root);
  // This rank's part of the evaluation set.
  absl::Status EvaluateShare(EvaluationResult* result, EvaluationSums* sums);
  // Of the machine's own memory, or on the GPU already.
  RowTensors RowsOf(const data::Batch& batch) const;
  static Inputs InputsOf(const RowTensors& rows) { return {rows.dense, rows.ids}; }

  void SetPhase(protocol::Phase phase) { phase_.store(phase, std::memory_order_relaxed); }

  EngineSettings settings_;
  Datasets sets_;
  std::string gpu_name_;
  std::unique_ptr<Gpu> gpu_;  // null: training is on the CPU
  at::Device device_ = at::kCPU;
  at::ScalarType dtype_{};
  data::SampleShape shape_;
  int64_t micro_batch_ = 0;   // 0: a rank's share in one piece
  int64_t most_at_once_ = 0;  // 0: no limit
  int64_t at_once_ = 0;       // samples of a pass of this step
  int64_t evaluate_at_once_ = 0;
  uint32_t memory_kills_ = 0;  // that most_at_once_ takes account of
  uint32_t told_kills_ = 0;    // of the job, up to now
  // How far a step has come: its sums over the ranks have begun; its update has.
  bool summing_ = false, updating_ = false;
  core::TrainingPlan plan_;
  std::unique_ptr<Model> model_;
  int64_t model_hash_ = 0;  // of the user's own model's file
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<WeightAverage> average_;  // null: none
  std::optional<Loss> loss_;
  // The state, and from which byte on this rank has it.
  struct Held {
    at::Tensor tensor;
    uint64_t offset = 0;
  };
  std::vector<Held> state_;
  std::vector<blob::TensorInfo> state_info_;
  size_t model_tensors_ = 0;
  mutable HostCopies copies_;  // of a state that is on a GPU

  // Of a sharded optimizer: the part that this rank has, and of each rank of the group the memory
  // of the parameters that it updates. A step that is not finished on this rank but has changed its
  // part: what a rank that has not come so far needs.
  struct Unfinished {
    int64_t step = 0, position = 0;
    double learning_rate = 0;
    UpdateStage stage = UpdateStage::kUpdated;
    std::vector<at::Tensor> gradients;
  };
  ShardPlace shard_;
  std::vector<std::vector<at::Tensor>> updated_by_;
  std::optional<Unfinished> unfinished_;

  bool has_state_ = false;  // trained or restored: worth more than a fresh model
  int64_t step_ = 0, position_ = 0, total_steps_ = 1;
  std::unique_ptr<Group> group_;
  base::Generation generation_;  // of the group
  GroupSockets sockets_;
  std::unique_ptr<Prefetch> prefetch_;  // null: batches go to the GPU as they are needed, or stay
  std::unique_ptr<data::BatchLoader> loader_;
  std::optional<c10::Stream> stream_;  // of a GPU that records; none: the default one
  // Of spec.train.cuda_graphs; empty: steps are not recorded, or cannot be.
  std::function<std::function<void()>(const std::function<void()>& work)> record_;
  std::unique_ptr<Recorded> recorded_;
  int usual_steps_ = 0;  // of the group, before one is recorded
  std::optional<ControlVector> control_;
  NoiseMeter meter_;
  base::Time norm_due_{};  // when the gradients' norm is next worked out for the metrics alone
  EarlyStopping stopping_;
  std::atomic<protocol::Phase> phase_{protocol::Phase::kStarting};
};

}  // namespace coxswain::trainer::engine
