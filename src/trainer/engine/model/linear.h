// y = x W^T + b, made for data parallel training: the gradient of W is written where the last
// step's gradient of W was, which is its place in the reducer's bucket. at::linear would make a new
// tensor, which the reducer then copies into the bucket: twice the memory traffic of every weight.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

namespace coxswain::trainer::engine {

// The matrix product, written into `to`, whose precision may be a higher one (autocast.h).
void ProductInto(at::Tensor& to, const at::Tensor& left, const at::Tensor& right);

class Linear {
 public:
  // Of the weight: (outputs, inputs), or as GPT-2 has it (inputs, outputs).
  enum class Layout { kOutputsFirst, kInputsFirst };
  // Parameters that require gradients; the bias (outputs) may be undefined: none.
  Linear(at::Tensor weight, at::Tensor bias, Layout layout = Layout::kOutputsFirst);

  // x: (rows, inputs).
  at::Tensor Forward(const at::Tensor& x) const;

  // Before the gradients of a step are reset: keeps the memory of W's for the next step.
  void KeepGradientMemory();
  // The group has gone, and with it the buckets.
  void DropGradientMemory();

 private:
  at::Tensor weight_, bias_;
  Layout layout_;
  std::unique_ptr<at::Tensor> gradient_;  // undefined: none kept
};

}  // namespace coxswain::trainer::engine
