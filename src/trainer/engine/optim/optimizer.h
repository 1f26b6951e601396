// Fused optimizers over all parameters at once; the state's tensors belong to the checkpoint.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
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
  // Parameters that share a weight decay: one call of the fused kernel.
  struct Group {
    double weight_decay = 0;
    std::vector<at::Tensor> originals;  // hold the gradients
    std::vector<at::Tensor> parameters, gradients;
    std::vector<at::Tensor> averages, squares, momenta;  // adamw: the first two; sgd: the last
    std::vector<at::Tensor> steps;                       // one scalar, once for each parameter
  };
  // Which of the groups.
  size_t GroupOf(const at::Tensor& parameter) const {
    return settings_.decay == config::Decay::kMatrices && parameter.dim() < 2 ? 1 : 0;
  }
  void ApplyTo(Group& group, double learning_rate);

  const config::Optimizer settings_;
  at::Tensor step_;
  std::array<Group, 2> groups_;  // with weight decay, and without
  std::vector<NamedTensor> state_;
};

}  // namespace coxswain::trainer::engine
