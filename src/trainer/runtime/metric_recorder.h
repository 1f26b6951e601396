// Turns what steps and evaluations give into metric points. Never blocks a step.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

#include "common/protocol/trainer_messages.h"
#include "trainer/engine/engine.h"

namespace coxswain::trainer {

// Thread-safe.
class MetricRecorder {
 public:
  explicit MetricRecorder(int64_t log_every_steps) : log_every_steps_(log_every_steps) {}

  // What a step's arithmetic is reckoned by (state/flops.h); 0: not known.
  struct Work {
    double flops_per_sample = 0;
    double peak_flops = 0;  // of all ranks' GPUs together, a second
    // The most of a GPU's memory that was ever taken, in bytes; null: there is none. Called by
    // AddStep.
    std::function<int64_t()> gpu_memory = nullptr;
  };
  void SetWork(const Work& work);

  // Each `log_every_steps`-th step, from rank 0: "loss", "learning_rate", "samples_per_second",
  // "gradient_norm", "gradient_noise" (over all ranks). About once a second, the first time with
  // the first evaluation or snapshot if that is sooner: from every rank "phase.data_ms" and so on,
  // means per step since the last ones, and "peak_memory_bytes", with a GPU
  // "gpu_peak_memory_bytes"; from rank 0 "model_flops_per_second", and where the GPUs' peak is
  // known "model_flop_utilisation".
  void AddStep(const engine::StepResult& step, base::Rank rank, base::Generation generation);
  // From rank 0: "eval.loss"; "eval.accuracy" (of text "eval.perplexity" too), or
  // "eval.mse" and "eval.r2".
  void AddEvaluation(const engine::EvaluationResult& result, int64_t step, base::Rank rank,
                     base::Generation generation);
  // How long a snapshot for a checkpoint held up training: "phase.checkpoint_ms".
  void AddSnapshot(base::Duration took);
  std::vector<protocol::MetricPoint> Take();

 private:
  void AddPhases(const engine::StepResult& step, base::Rank rank, base::Generation generation);
  void TellPhases();

  const int64_t log_every_steps_;
  std::mutex mutex_;
  std::vector<protocol::MetricPoint> points_;
  Work work_;
  engine::StepResult sum_;  // durations and samples since phases_at_, and the last step
  base::Rank rank_ = 0;
  base::Generation generation_;
  base::Duration snapshots_{};
  int64_t steps_ = 0;
  std::optional<base::Time> phases_at_;
  bool phases_told_ = false;
};

}  // namespace coxswain::trainer
