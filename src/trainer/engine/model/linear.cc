#include "trainer/engine/model/linear.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>

#include "trainer/engine/model/autocast.h"

namespace coxswain::trainer::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor Product(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                   bool inputs_first) {
  if (!inputs_first) return at::linear(x, weight, bias);
  return bias.defined() ? at::addmm(bias, x, weight) : x.mm(weight);
}

// `kept`: address of the Tensor whose memory the weight's gradient goes to; it outlives the graph
// of a step. Its memory is used only for the first gradient after a reset: a later one (of another
// micro-batch) is added to it by autograd. In mixed precision (autocast.h) `x` has been lowered,
// and the product takes a lowered copy of the weight: the weight itself stays where its gradient
// goes.
struct LinearFunction : torch::autograd::Function<LinearFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias, bool inputs_first,
                            int64_t kept) {
    const at::Tensor lowered = Lowered(weight);
    context->save_for_backward({x, weight, lowered});
    context->saved_data["kept"] = kept;
    context->saved_data["inputs_first"] = inputs_first;
    context->saved_data["bias"] = bias.has_value();
    return Product(x, lowered, bias.value_or(at::Tensor()), inputs_first);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &lowered = saved[2];
    const at::Tensor& gradient = gradients[0];
    const auto& kept = *reinterpret_cast<const at::Tensor*>(context->saved_data["kept"].toInt());
    const bool inputs_first = context->saved_data["inputs_first"].toBool();
    at::Tensor of_x, of_weight, of_bias;
    if (context->needs_input_grad(0)) of_x = gradient.mm(inputs_first ? lowered.t() : lowered);
    const at::Tensor left = inputs_first ? x.t() : gradient.t();
    const at::Tensor& right = inputs_first ? gradient : x;
    if (kept.defined() && !weight.grad().defined()) {
      of_weight = at::alias(kept);  // a tensor of its own, so that autograd takes it over as it is
      ProductInto(of_weight, left, right);
    } else {
      of_weight = left.mm(right);
    }
    if (context->saved_data["bias"].toBool()) of_bias = gradient.sum(0);
    return {of_x, std::move(of_weight), of_bias, at::Tensor(), at::Tensor()};
  }
};

}  // namespace

void ProductInto(at::Tensor& to, const at::Tensor& left, const at::Tensor& right) {
  if (left.scalar_type() == to.scalar_type()) {
    at::mm_out(to, left, right);
  } else {
    to.copy_(left.mm(right));
  }
}

Linear::Linear(at::Tensor weight, at::Tensor bias, Layout layout)
    : weight_(std::move(weight)),
      bias_(std::move(bias)),
      layout_(layout),
      gradient_(std::make_unique<at::Tensor>()) {}

at::Tensor Linear::Forward(const at::Tensor& x) const {
  const bool inputs_first = layout_ == Layout::kInputsFirst;
  if (!at::GradMode::is_enabled()) return Product(x, weight_, bias_, inputs_first);
  const std::optional<at::Tensor> bias = bias_.defined() ? std::optional(bias_) : std::nullopt;
  return LinearFunction::apply(Lowered(x), weight_, bias, inputs_first,
                               reinterpret_cast<int64_t>(gradient_.get()));
}

void Linear::KeepGradientMemory() {
  if (weight_.grad().defined()) *gradient_ = weight_.grad();
}

void Linear::DropGradientMemory() { gradient_->reset(); }

}  // namespace coxswain::trainer::engine
