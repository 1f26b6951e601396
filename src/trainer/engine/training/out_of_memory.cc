// When memory runs out in a training step: half as many samples go through the model at a time. So
// too in an attempt after one that the kernel ended for it.
#include <ATen/ATen.h>

#include "trainer/engine/training/guard.h"
#include "trainer/engine/training/training_engine.h"

namespace coxswain::trainer::engine {

absl::Status TrainingEngine::PassFewer(const absl::Status& out_of_memory) {
  if (updating_) return out_of_memory;  // of no pass
  std::string why(out_of_memory.message());
  if (at_once_ <= 1) {
    return absl::ResourceExhaustedError(why + " (with one sample at a time)");
  }
  const config::Model& model = settings_.spec.model;
  if (model.ByMicroBatch()) {
    return absl::ResourceExhaustedError(
        why + " (with " + std::to_string(at_once_) +
        " samples at a time; fewer would change what " +
        (model.IsOwn() ? "the model may compute" : "batch norm computes") +
        ": set a smaller "
        "spec.train.micro_batch_size)");
  }
  most_at_once_ = at_once_ / 2;
  ResetGradients();
  if (!summing_) {
    // A group of one has none who waits; a backward pass that it has begun to sum is begun anew.
    return Guard(absl::StatusCode::kInternal, [this] { WatchGradients(); });
  }
  // The others have a part of this step's sums: they begin it anew with us.
  return absl::UnavailableError(why + "; from here on with at most " +
                                std::to_string(most_at_once_) + " samples at a time");
}

// What has been too much for one rank need not be tried by another.
void TrainingEngine::AgreeOnMemory(uint32_t root) {
  // The root knows what was in force before the kill, and tells the others as its limit.
  const bool tells = group_->rank() == root && told_kills_ > memory_kills_;
  if (tells && !settings_.spec.model.ByMicroBatch()) {
    const auto ranks = static_cast<int64_t>(group_->size());
    int64_t present = micro_batch_ > 0 ? micro_batch_ : (plan_.batch + ranks - 1) / ranks;
    if (most_at_once_ > 0) present = std::min(present, most_at_once_);
    most_at_once_ = std::max<int64_t>(1, present >> std::min(told_kills_ - memory_kills_, 62u));
  }
  memory_kills_ = told_kills_;
  at::Tensor limits = at::zeros({static_cast<int64_t>(group_->size())}, at::kLong);
  limits[group_->rank()] = most_at_once_;
  group_->AllReduce(limits)->Wait();
  const auto* each = limits.const_data_ptr<int64_t>();
  for (uint32_t rank = 0; rank < group_->size(); ++rank) {
    if (each[rank] == 0) continue;
    most_at_once_ = most_at_once_ == 0 ? each[rank] : std::min(most_at_once_, each[rank]);
  }
}

}  // namespace coxswain::trainer::engine
