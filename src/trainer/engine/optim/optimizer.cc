#include "trainer/engine/optim/optimizer.h"

#include <ATen/ATen.h>

namespace coxswain::trainer::engine {

Optimizer::Optimizer(const config::Optimizer& settings, const std::vector<NamedTensor>& parameters)
    : settings_(settings), step_(at::zeros({}, at::kFloat)) {
  auto add = [this](const char* kind, const NamedTensor& parameter) {
    at::Tensor zeros = at::zeros(parameter.tensor.sizes(), parameter.tensor.scalar_type());
    state_.push_back({std::string("optimizer.") + kind + "." + parameter.name, zeros});
    return zeros;
  };
  groups_[0].weight_decay = settings.weight_decay;
  bool adamw = settings.name == config::OptimizerName::kAdamW;
  for (const NamedTensor& parameter : parameters) {
    Group& group = groups_[GroupOf(parameter.tensor)];
    group.originals.push_back(parameter.tensor);
    group.parameters.push_back(parameter.tensor.detach());  // same memory, no autograd
    if (adamw) group.averages.push_back(add("exp_avg", parameter));
    group.steps.push_back(step_);
  }
  for (const NamedTensor& parameter : parameters) {
    Group& group = groups_[GroupOf(parameter.tensor)];
    if (adamw) group.squares.push_back(add("exp_avg_sq", parameter));
    if (!adamw && settings.momentum > 0) group.momenta.push_back(add("momentum", parameter));
  }
}

void Optimizer::Apply(int64_t step, double learning_rate) {
  step_.fill_(static_cast<double>(step));
  for (Group& group : groups_) {
    if (!group.parameters.empty()) ApplyTo(group, learning_rate);
  }
}

void Optimizer::ApplyTo(Group& group, double learning_rate) {
  group.gradients.clear();
  for (const at::Tensor& original : group.originals) group.gradients.push_back(original.grad());
  if (settings_.name == config::OptimizerName::kAdamW) {
    at::_fused_adamw_(group.parameters, group.gradients, group.averages, group.squares, {},
                      group.steps, learning_rate, settings_.beta1, settings_.beta2,
                      group.weight_decay, settings_.eps, /*amsgrad=*/false, /*maximize=*/false);
    return;
  }
  at::_fused_sgd_(group.parameters, group.gradients, group.momenta, group.weight_decay,
                  settings_.momentum, learning_rate, /*dampening=*/0.0, settings_.nesterov,
                  /*maximize=*/false, /*is_first_step=*/false);
}

}  // namespace coxswain::trainer::engine
