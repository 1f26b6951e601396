// Fused optimizers over all parameters at once; the state's tensors belong to the checkpoint.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "common/config/job_spec.h"
#include "trainer/engine/model/model.h"
#include "trainer/engine/optim/slices.h"

namespace coxswain::trainer::engine {

// One of the state's tensors, as large as the parameter it is kept for, and what is here of it.
struct StatePart {
  std::string name;      // "optimizer.exp_avg.<parameter>" and so on
  at::Tensor parameter;  // has the whole one's shape and type
  int64_t begin = 0;     // first element of `values`
  at::Tensor values;     // maybe none
};

class Optimizer {
 public:
  // State begins at zero. It is kept for these slices of the parameters, and they alone are
  // updated.
  Optimizer(const config::Optimizer& settings, const std::vector<NamedTensor>& parameters,
            const std::vector<Slice>& slices);
  // All of them.
  Optimizer(const config::Optimizer& settings, const std::vector<NamedTensor>& parameters)
      : Optimizer(settings, parameters, SlicesOf(parameters, 0, 1)) {}

  // Applies the parameters' gradients. `step`: 1-based number of this update (bias correction).
  void Apply(int64_t step, double learning_rate);

  // One of each kind for every parameter, kind by kind.
  const std::vector<StatePart>& state() const { return state_; }

 private:
  // Parameters that share a weight decay: one call of the fused kernel.
  struct Group {
    double weight_decay = 0;
    std::vector<at::Tensor> originals;  // hold the gradients
    std::vector<Slice> slices;          // of those
    std::vector<at::Tensor> parameters, gradients;
    std::vector<at::Tensor> averages, squares, momenta;  // adamw: the first two; sgd: the last
    std::vector<at::Tensor> steps;                       // one scalar, once for each parameter
  };
  // Which of the groups.
  size_t GroupOf(const at::Tensor& parameter) const {
    return settings_.decay == config::Decay::kMatrices && parameter.dim() < 2 ? 1 : 0;
  }
  void AddState(const char* kind, const std::vector<NamedTensor>& parameters,
                const std::vector<Slice>& slices);
  void ApplyTo(Group& group, double learning_rate);

  const config::Optimizer settings_;
  at::Tensor step_;
  std::array<Group, 2> groups_;  // with weight decay, and without
  std::vector<StatePart> state_;
};

}  // namespace coxswain::trainer::engine
