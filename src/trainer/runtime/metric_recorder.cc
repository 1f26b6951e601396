#include "trainer/runtime/metric_recorder.h"

#include <sys/resource.h>

#include <cmath>
#include <utility>

#include "common/base/clock.h"

namespace coxswain::trainer {
namespace {

// The most that this process has ever had in memory.
double PeakMemory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024;
}

}  // namespace

void MetricRecorder::SetWork(const Work& work) {
  std::lock_guard lock(mutex_);
  work_ = work;
}

void MetricRecorder::AddSnapshot(base::Duration took) {
  std::lock_guard lock(mutex_);
  snapshots_ += took;
  if (!phases_told_) TellPhases();
}

void MetricRecorder::AddStep(const engine::StepResult& step, base::Rank rank,
                             base::Generation generation) {
  std::lock_guard lock(mutex_);
  AddPhases(step, rank, generation);
  if (rank != 0 || step.step % log_every_steps_ != 0) return;
  base::WallTime now = base::WallNow();
  auto add = [&](const char* name, double value) {
    points_.push_back({name, -1, step.step, value, now, generation});
  };
  add("loss", step.loss);
  add("learning_rate", step.learning_rate);
  if (step.total.count() > 0) {
    add("samples_per_second",
        static_cast<double>(step.samples) * 1e6 / static_cast<double>(step.total.count()));
  }
  if (step.gradient_noise > 0) add("gradient_noise", step.gradient_noise);
  if (step.gradient_norm >= 0 && std::isfinite(step.gradient_norm))
    add("gradient_norm", step.gradient_norm);
}

void MetricRecorder::AddPhases(const engine::StepResult& step, base::Rank rank,
                               base::Generation generation) {
  sum_.data += step.data;
  sum_.forward += step.forward;
  sum_.backward += step.backward;
  sum_.all_reduce += step.all_reduce;
  sum_.optimizer += step.optimizer;
  sum_.total += step.total;
  sum_.samples += step.samples;
  sum_.step = step.step;
  rank_ = rank;
  generation_ = generation;
  ++steps_;
  if (!phases_at_) phases_at_ = base::MonotonicNow() - step.total;
  if (base::MonotonicNow() - *phases_at_ >= base::seconds(1)) TellPhases();
}

void MetricRecorder::TellPhases() {
  if (steps_ == 0) return;
  const base::Rank rank = rank_;
  const base::WallTime now = base::WallNow();
  auto point = [&](const char* name, int32_t of, double value) {
    points_.push_back({name, of, sum_.step, value, now, generation_});
  };
  auto add = [&](const char* name, base::Duration sum) {
    point(name, static_cast<int32_t>(rank),
          static_cast<double>(sum.count()) / 1e3 / static_cast<double>(steps_));
  };
  add("phase.data_ms", sum_.data);
  add("phase.forward_ms", sum_.forward);
  add("phase.backward_ms", sum_.backward);
  add("phase.all_reduce_ms", sum_.all_reduce);
  add("phase.optimizer_ms", sum_.optimizer);
  add("phase.step_ms", sum_.total);
  add("phase.checkpoint_ms", snapshots_);
  point("peak_memory_bytes", static_cast<int32_t>(rank), PeakMemory());
  if (work_.gpu_memory) {
    point("gpu_peak_memory_bytes", static_cast<int32_t>(rank),
          static_cast<double>(work_.gpu_memory()));
  }
  if (rank == 0 && work_.flops_per_sample > 0 && sum_.total.count() > 0) {
    const double flops = work_.flops_per_sample * static_cast<double>(sum_.samples) * 1e6 /
                         static_cast<double>(sum_.total.count());
    point("model_flops_per_second", -1, flops);
    if (work_.peak_flops > 0) point("model_flop_utilisation", -1, flops / work_.peak_flops);
  }
  sum_ = {};
  snapshots_ = {};
  steps_ = 0;
  phases_at_ = base::MonotonicNow();
  phases_told_ = true;
}

void MetricRecorder::AddEvaluation(const engine::EvaluationResult& result, int64_t step,
                                   base::Rank rank, base::Generation generation) {
  std::lock_guard lock(mutex_);
  if (!phases_told_) TellPhases();
  if (rank != 0) return;
  base::WallTime now = base::WallNow();
  points_.push_back({"eval.loss", -1, step, result.loss, now, generation});
  if (result.accuracy >= 0) {
    points_.push_back({"eval.accuracy", -1, step, result.accuracy, now, generation});
    if (result.perplexity > 0) {
      points_.push_back({"eval.perplexity", -1, step, result.perplexity, now, generation});
    }
  } else {
    points_.push_back({"eval.mse", -1, step, result.mse, now, generation});
    points_.push_back({"eval.r2", -1, step, result.r2, now, generation});
  }
}

std::vector<protocol::MetricPoint> MetricRecorder::Take() {
  std::lock_guard lock(mutex_);
  return std::exchange(points_, {});
}

}  // namespace coxswain::trainer
