#include "trainer/engine/model/linear.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

namespace coxswain::trainer::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// `kept`: address of the Tensor whose memory the weight's gradient goes to; it outlives the graph
// of a step. Its memory is used only for the first gradient after a reset: a later one (of another
// micro-batch) is added to it by autograd.
struct LinearFunction : torch::autograd::Function<LinearFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& bias, int64_t kept) {
    context->save_for_backward({x, weight});
    context->saved_data["kept"] = kept;
    return at::linear(x, weight, bias);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &gradient = gradients[0];
    const auto& kept = *reinterpret_cast<const at::Tensor*>(context->saved_data["kept"].toInt());
    at::Tensor of_x, of_weight;
    if (context->needs_input_grad(0)) of_x = gradient.mm(weight);
    if (kept.defined() && !weight.grad().defined()) {
      of_weight = at::alias(kept);  // a tensor of its own, so that autograd takes it over as it is
      at::mm_out(of_weight, gradient.t(), x);
    } else {
      of_weight = gradient.t().mm(x);
    }
    return {of_x, std::move(of_weight), gradient.sum(0), at::Tensor()};
  }
};

}  // namespace

Linear::Linear(at::Tensor weight, at::Tensor bias)
    : weight_(std::move(weight)),
      bias_(std::move(bias)),
      gradient_(std::make_unique<at::Tensor>()) {}

at::Tensor Linear::Forward(const at::Tensor& x) const {
  if (!at::GradMode::is_enabled()) return at::linear(x, weight_, bias_);
  return LinearFunction::apply(x, weight_, bias_, reinterpret_cast<int64_t>(gradient_.get()));
}

void Linear::KeepGradientMemory() {
  if (weight_.grad().defined()) *gradient_ = weight_.grad();
}

void Linear::DropGradientMemory() { gradient_->reset(); }

}  // namespace coxswain::trainer::engine
