#include "trainer/engine/optim/optimizer.h"

#include <ATen/ATen.h>

namespace coxswain::trainer::engine {

Optimizer::Optimizer(const config::Optimizer& settings, const std::vector<NamedTensor>& parameters,
                     const std::vector<Slice>& slices)
    : settings_(settings),
      step_(at::zeros({}, parameters.front().tensor.detach().options().dtype(at::kFloat))) {
  groups_[0].weight_decay = settings.weight_decay;
  const bool adamw = settings.name == config::OptimizerName::kAdamW;
  if (adamw) {
    AddState("exp_avg", parameters, slices);
    AddState("exp_avg_sq", parameters, slices);
  } else if (settings.momentum > 0) {
    AddState("momentum", parameters, slices);
  }
  for (const Slice& slice : slices) {
    const at::Tensor& parameter = parameters[slice.parameter].tensor;
    Group& group = groups_[GroupOf(parameter)];
    group.originals.push_back(parameter);
    group.slices.push_back(slice);
    group.parameters.push_back(PartOf(parameter.detach(), slice));  // same memory, no autograd
    if (adamw) {
      group.averages.push_back(state_[slice.parameter].values);
      group.squares.push_back(state_[parameters.size() + slice.parameter].values);
    } else if (settings.momentum > 0) {
      group.momenta.push_back(state_[slice.parameter].values);
    }
    group.steps.push_back(step_);
  }
}

void Optimizer::AddState(const char* kind, const std::vector<NamedTensor>& parameters,
                         const std::vector<Slice>& slices) {
  auto slice = slices.begin();
  for (size_t i = 0; i < parameters.size(); ++i) {
    const at::Tensor& parameter = parameters[i].tensor;
    StatePart part{
        std::string("optimizer.") + kind + "." + parameters[i].name, parameter.detach(), 0, {}};
    if (slice != slices.end() && slice->parameter == i) {
      part.begin = slice->begin;
      part.values = at::zeros_like(PartOf(part.parameter, *slice));
      ++slice;
    } else {
      part.values = at::zeros({0}, part.parameter.options());
    }
    state_.push_back(std::move(part));
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
  for (size_t i = 0; i < group.originals.size(); ++i) {
    group.gradients.push_back(PartOf(group.originals[i].grad(), group.slices[i]));
  }
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
