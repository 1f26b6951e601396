// Fused optimizers over all parameters at once; the state's tensors belong to the checkpoint.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "common/config/job_spec.h"
#include "trainer/engine/model/model.h"

namespace coxswain::trainer::engine {

class Optimizer {
 public:
  // State begins at zero.
  Optimizer(const config::Optimizer& settings, const std::vector<NamedTensor>& parameters);

  // Applies the parameters' gradients. `step`: 1-based number of this update (bias correction).
  void Apply(int64_t step, double learning_rate);

  // "optimizer.exp_avg.<parameter>" and so on.
  const std::vector<NamedTensor>& state() const { return state_; }

 private:
  const config::Optimizer settings_;
  std::vector<NamedTensor> originals_;  // hold the gradients
  std::vector<at::Tensor> parameters_, gradients_;
  std::vector<at::Tensor> averages_, squares_, momenta_;  // adamw: the first two; sgd: the last
  std::vector<at::Tensor> steps_;                         // one scalar, once for each parameter
  std::vector<NamedTensor> state_;
};

}  // namespace coxswain::trainer::engine
