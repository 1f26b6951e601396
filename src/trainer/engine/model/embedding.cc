#include "trainer/engine/model/embedding.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "trainer/engine/model/autocast.h"
#include "trainer/engine/model/linear.h"

namespace coxswain::trainer::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

template <class Number>
void AddRowsOf(const at::Tensor& ids, const at::Tensor& rows, at::Tensor& to) {
  const int64_t count = ids.numel(), width = to.size(1);
  const auto* id = ids.const_data_ptr<int64_t>();
  const auto* from = rows.const_data_ptr<Number>();
  auto* sums = to.data_ptr<Number>();
  for (int64_t i = 0; i < count; ++i) {
    Number* sum = sums + id[i] * width;
    for (int64_t j = 0; j < width; ++j) sum[j] += from[i * width + j];
  }
}

// to[ids[i]] += rows[i], in this order.
void AddRows(const at::Tensor& ids, const at::Tensor& rows, at::Tensor& to) {
  const at::Tensor flat = rows.reshape({-1, to.size(1)}).contiguous();
  const bool plain = to.is_cpu() && to.is_contiguous() && ids.is_contiguous();
  if (plain && to.scalar_type() == at::kFloat) return AddRowsOf<float>(ids, flat, to);
  if (plain && to.scalar_type() == at::kDouble) return AddRowsOf<double>(ids, flat, to);
  to.index_add_(0, ids.reshape({-1}), flat);
}

// The place for a gradient of `weight`: the memory kept for it, unless that is in use.
at::Tensor Place(const at::Tensor& weight, const Embedding::Gradient& gradient) {
  if (gradient.kept.defined() && !weight.grad().defined()) return at::alias(gradient.kept);
  return at::empty_like(weight);
}

struct LookUp : torch::autograd::Function<LookUp> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& ids,
                            const at::Tensor& weight, int64_t gradient) {
    context->save_for_backward({ids, weight});
    context->saved_data["gradient"] = gradient;
    return at::embedding(weight, ids);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    variable_list saved = context->get_saved_variables();
    auto& gradient =
        *reinterpret_cast<Embedding::Gradient*>(context->saved_data["gradient"].toInt());
    at::Tensor of_weight;
    if (gradient.pending.defined()) {  // tied: the logits' part is there already
      AddRows(saved[0], gradients[0], gradient.pending);
      gradient.pending.reset();
    } else {
      of_weight = Place(saved[1], gradient).zero_();
      AddRows(saved[0], gradients[0], of_weight);
    }
    return {at::Tensor(), std::move(of_weight), at::Tensor()};
  }
};

struct TiedLogits : torch::autograd::Function<TiedLogits> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            int64_t gradient) {
    const at::Tensor lowered = Lowered(weight);
    context->save_for_backward({x, weight, lowered});
    context->saved_data["gradient"] = gradient;
    return at::linear(x, lowered);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1];
    auto& gradient =
        *reinterpret_cast<Embedding::Gradient*>(context->saved_data["gradient"].toInt());
    at::Tensor of_weight = Place(weight, gradient);
    ProductInto(of_weight, gradients[0].t(), x);
    gradient.pending = at::alias(of_weight);
    return {gradients[0].mm(saved[2]), std::move(of_weight), at::Tensor()};
  }
};

}  // namespace

Embedding::Embedding(at::Tensor weight)
    : weight_(std::move(weight)), gradient_(std::make_unique<Gradient>()) {}

at::Tensor Embedding::Forward(const at::Tensor& ids) const {
  if (!at::GradMode::is_enabled()) return at::embedding(weight_, ids);
  return LookUp::apply(ids, weight_, reinterpret_cast<int64_t>(gradient_.get()));
}

at::Tensor Embedding::Logits(const at::Tensor& x) const {
  if (!at::GradMode::is_enabled()) return at::linear(x, weight_);
  return TiedLogits::apply(Lowered(x), weight_, reinterpret_cast<int64_t>(gradient_.get()));
}

void Embedding::KeepGradientMemory() {
  gradient_->pending.reset();
  if (weight_.grad().defined()) gradient_->kept = weight_.grad();
}

void Embedding::DropGradientMemory() {
  gradient_->kept.reset();
  gradient_->pending.reset();
}

}  // namespace coxswain::trainer::engine
