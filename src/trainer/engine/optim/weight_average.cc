#include "trainer/engine/optim/weight_average.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace coxswain::trainer::engine {
namespace {

// The memory of a tensor without gaps.
at::Tensor Bytes(const at::Tensor& tensor) { return tensor.view({-1}).view(at::kByte); }

}  // namespace

WeightAverage::WeightAverage(const config::Ema& settings, const std::vector<NamedTensor>& tensors)
    : settings_(settings) {
  for (const NamedTensor& each : tensors) {
    weights_.push_back(each.tensor.detach());  // same memory, no autograd
    averages_.push_back(weights_.back().clone());
    state_.push_back({"ema." + each.name, averages_.back()});
    if (!each.tensor.is_floating_point()) continue;
    numbers_.push_back(weights_.back());
    average_numbers_.push_back(averages_.back());
  }
}

void WeightAverage::Update(int64_t step) {
  if (step == 1) return Restart();
  double decay = settings_.decay;
  if (settings_.warmup) {
    decay = std::min(decay, static_cast<double>(1 + step) / static_cast<double>(10 + step));
  }
  at::_foreach_lerp_(average_numbers_, numbers_, at::Scalar(1 - decay));
  for (size_t i = 0; i < weights_.size(); ++i) {
    if (!weights_[i].is_floating_point()) averages_[i].copy_(weights_[i]);
  }
}

void WeightAverage::Restart() { at::_foreach_copy_(averages_, weights_); }

at::Tensor WeightAverage::Scratch() const {
  int64_t bytes = 0;
  for (const at::Tensor& each : weights_) {
    bytes = std::max(bytes, static_cast<int64_t>(each.nbytes()));
  }
  return at::empty({bytes}, weights_.front().options().dtype(at::kByte));
}

void WeightAverage::Swap(const at::Tensor& scratch) {
  for (size_t i = 0; i < weights_.size(); ++i) {
    const at::Tensor weights = Bytes(weights_[i]), averages = Bytes(averages_[i]);
    const at::Tensor kept = scratch.narrow(0, 0, weights.numel());
    kept.copy_(weights);
    weights.copy_(averages);
    averages.copy_(kept);
  }
}

}  // namespace coxswain::trainer::engine
