#include "trainer/engine/optim/weight_average.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace coxswain::trainer::engine {

WeightAverage::WeightAverage(const config::Ema& settings, const std::vector<NamedTensor>& tensors)
    : settings_(settings) {
  for (const NamedTensor& each : tensors) {
    weights_.push_back(each.tensor.detach());  // same memory, no autograd
    averages_.push_back(weights_.back().clone());
    state_.push_back({"ema." + each.name, averages_.back()});
  }
}

void WeightAverage::Update(int64_t step) {
  if (step == 1) return Restart();
  double decay = settings_.decay;
  if (settings_.warmup) {
    decay = std::min(decay, static_cast<double>(1 + step) / static_cast<double>(10 + step));
  }
  at::_foreach_lerp_(averages_, weights_, at::Scalar(1 - decay));
}

void WeightAverage::Restart() { at::_foreach_copy_(averages_, weights_); }

void WeightAverage::Swap() {
  for (size_t i = 0; i < weights_.size(); ++i) {
    const at::Tensor weights = weights_[i].clone();
    weights_[i].copy_(averages_[i]);
    averages_[i].copy_(weights);
  }
}

}  // namespace coxswain::trainer::engine
