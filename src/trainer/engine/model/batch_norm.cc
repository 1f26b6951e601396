#include "trainer/engine/model/batch_norm.h"

#include <ATen/ATen.h>

#include "trainer/engine/model/model.h"

namespace coxswain::trainer::engine {
namespace {

constexpr double kEpsilon = 1e-5;
constexpr double kMomentum = 0.1;

}  // namespace

at::Tensor BatchNorm::Forward(const at::Tensor& x, const ForwardPass& pass) const {
  if (!pass.training) {
    return std::get<0>(at::native_batch_norm(x, t_.weight, t_.bias, t_.running_mean,
                                             t_.running_variance, false, kMomentum, kEpsilon));
  }
  auto [out, mean, inverse] =
      at::native_batch_norm(x, t_.weight, t_.bias, {}, {}, true, kMomentum, kEpsilon);
  if (pass.statistics != nullptr) AddStatistics(x, mean, inverse, pass.statistics + offset_);
  return out;
}

void BatchNorm::AddStatistics(const at::Tensor& x, const at::Tensor& mean,
                              const at::Tensor& inverse, double* statistics) const {
  auto rows = static_cast<double>(x.size(0));
  double count = rows * static_cast<double>(x.size(2) * x.size(3));
  double unbias = count > 1 ? count / (count - 1) : 1;
  // In one piece: from a GPU each copy waits for all that it was told to do.
  const at::Tensor both = at::cat({mean.detach(), inverse.detach()}).to(at::kCPU, at::kDouble);
  int64_t channels = mean.numel();
  const double* m = both.const_data_ptr<double>();
  const double* s = m + channels;
  for (int64_t i = 0; i < channels; ++i) statistics[i] += rows * m[i];
  statistics += channels;
  for (int64_t i = 0; i < channels; ++i) {
    statistics[i] += rows * (1 / (s[i] * s[i]) - kEpsilon) * unbias;
  }
}

void BatchNorm::UpdateStatistics(const double* statistics, double rows) {
  const double* sums = statistics + offset_;
  for (at::Tensor* running : {&t_.running_mean, &t_.running_variance}) {
    int64_t channels = running->numel();
    at::Tensor batch = at::from_blob(const_cast<double*>(sums), {channels}, at::kDouble) / rows;
    running->lerp_(batch.to(running->options()), kMomentum);
    sums += channels;
  }
}

}  // namespace coxswain::trainer::engine
