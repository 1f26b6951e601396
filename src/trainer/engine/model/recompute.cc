#include "trainer/engine/model/recompute.h"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>

#include "trainer/engine/model/autocast.h"

namespace coxswain::trainer::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

using Part = std::function<at::Tensor(const at::Tensor&)>;

struct Held : torch::CustomClassHolder {
  Part part;
  bool mixed = false;
};

struct RecomputeFunction : torch::autograd::Function<RecomputeFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const c10::intrusive_ptr<Held>& held) {
    context->save_for_backward({x});
    context->saved_data["part"] = c10::IValue::make_capsule(held);
    return held->part(x);
  }

  // The part's own parameters get their gradients in the backward pass within this one, as they
  // would have without: each layer's are handed to the reducer as soon as they are there.
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const c10::intrusive_ptr<torch::CustomClassHolder> capsule =
        context->saved_data["part"].toCapsule();
    const auto& held = static_cast<const Held&>(*capsule);
    at::Tensor x = context->get_saved_variables()[0].detach();
    x.set_requires_grad(true);
    at::Tensor out;
    {
      at::AutoGradMode gradients_on(true);
      AutocastScope mixed(held.mixed, x.device().type());
      out = held.part(x);
    }
    torch::autograd::backward({out}, {gradients[0]});
    return {x.grad(), at::Tensor()};
  }
};

}  // namespace

at::Tensor Recomputed(const at::Tensor& x, Part part) {
  if (!at::GradMode::is_enabled()) return part(x);
  auto held = c10::make_intrusive<Held>();
  held->part = std::move(part);
  held->mixed = at::autocast::is_autocast_enabled(x.device().type());
  return RecomputeFunction::apply(x, held);
}

}  // namespace coxswain::trainer::engine
