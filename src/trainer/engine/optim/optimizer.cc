#include "trainer/engine/optim/optimizer.h"

#include <ATen/ATen.h>

namespace coxswain::trainer::engine {

Optimizer::Optimizer(const config::Optimizer& settings, const std::vector<NamedTensor>& parameters)
    : settings_(settings) {
  auto add = [this](const char* kind, const NamedTensor& parameter) {
    at::Tensor zeros = at::zeros(parameter.tensor.sizes(), parameter.tensor.scalar_type());
    state_.push_back({std::string("optimizer.") + kind + "." + parameter.name, zeros});
    return zeros;
  };
  at::Tensor step = at::zeros({}, at::kFloat);
  bool adamw = settings.name == config::OptimizerName::kAdamW;
  for (const NamedTensor& parameter : parameters) {
    parameters_.push_back(parameter.tensor.detach());  // same memory, no autograd
    if (adamw) averages_.push_back(add("exp_avg", parameter));
    steps_.push_back(step);
  }
  for (const NamedTensor& parameter : parameters) {
    if (adamw) squares_.push_back(add("exp_avg_sq", parameter));
    if (!adamw && settings.momentum > 0) momenta_.push_back(add("momentum", parameter));
  }
  originals_ = parameters;
}

void Optimizer::Apply(int64_t step, double learning_rate) {
  gradients_.clear();
  for (const NamedTensor& parameter : originals_) gradients_.push_back(parameter.tensor.grad());
  if (settings_.name == config::OptimizerName::kAdamW) {
    steps_[0].fill_(static_cast<double>(step));
    at::_fused_adamw_(parameters_, gradients_, averages_, squares_, {}, steps_, learning_rate,
                      settings_.beta1, settings_.beta2, settings_.weight_decay, settings_.eps,
                      /*amsgrad=*/false, /*maximize=*/false);
    return;
  }
  at::_fused_sgd_(parameters_, gradients_, momenta_, settings_.weight_decay, settings_.momentum,
                  learning_rate, /*dampening=*/0.0, settings_.nesterov, /*maximize=*/false,
                  /*is_first_step=*/false);
}

}  // namespace coxswain::trainer::engine
