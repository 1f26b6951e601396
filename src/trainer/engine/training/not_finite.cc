#include "trainer/engine/training/not_finite.h"

#include <ATen/ATen.h>

namespace coxswain::trainer::engine {
namespace {

bool Finite(const at::Tensor& tensor) {
  return !tensor.defined() || at::isfinite(tensor.detach()).all().item<bool>();
}

}  // namespace

std::string WhereNotFinite(const std::vector<NamedTensor>& parameters) {
  at::NoGradGuard no_grad;
  for (const NamedTensor& each : parameters) {
    if (!Finite(each.tensor)) return "parameter " + each.name + " is not finite";
  }
  const std::string where = WhereGradientNotFinite(parameters);
  return where.empty() ? "every single gradient is finite" : where;
}

std::string WhereGradientNotFinite(const std::vector<NamedTensor>& parameters) {
  at::NoGradGuard no_grad;
  for (const NamedTensor& each : parameters) {
    if (!Finite(each.tensor.grad())) {
      return "first parameter with a non-finite gradient: " + each.name;
    }
  }
  return "";
}

}  // namespace coxswain::trainer::engine
