// Mixed precision, as torch.autocast has it: while a scope is open, this thread's matrix products,
// convolutions and attention run in bfloat16, on copies of float32 tensors; what sums many values
// (norms, losses) stays in float32. Parameters and their gradients are float32 all the time.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/DeviceType.h>

namespace coxswain::trainer::engine {

class AutocastScope {
 public:
  // `wanted` false: nothing happens.
  AutocastScope(bool wanted, c10::DeviceType device);
  // As torch.autocast's end: the copies of weights are dropped, since the next step changes them.
  ~AutocastScope();
  AutocastScope(const AutocastScope&) = delete;
  AutocastScope& operator=(const AutocastScope&) = delete;

 private:
  const bool wanted_;
  const c10::DeviceType device_;
  bool was_enabled_ = false;
  c10::ScalarType was_dtype_{};
};

// `x` as matrix products take it: within a scope a copy in bfloat16 (of a parameter the same one
// until the scope ends), through which gradients go; otherwise `x` itself. For what autocast does
// not see: our own autograd functions (linear.h, embedding.h). A parameter that one of them lowers
// must not go into another product within the same scope: no gradient would come from there.
at::Tensor Lowered(const at::Tensor& x);

}  // namespace coxswain::trainer::engine
