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
  if (pass.statistics == nullptr && pass.moments == nullptr) return out;
  // In one piece: from a GPU each copy waits for all that it was told to do.
  BatchMoments moments = {offset_, static_cast<double>(x.size(0)),
                          static_cast<double>(x.numel() / x.size(1)),
                          at::cat({mean.detach(), inverse.detach()}).to(at::kDouble)};
  if (pass.moments != nullptr) {
    pass.moments->push_back(std::move(moments));
  } else {
    const at::Tensor host = moments.values.to(at::kCPU);
    moments.AddTo(host.const_data_ptr<double>(), pass.statistics);
  }
  return out;
}

void BatchMoments::AddTo(const double* host, double* statistics) const {
  const double unbias = count > 1 ? count / (count - 1) : 1;
  const int64_t channels = values.numel() / 2;
  const double* inverses = host + channels;
  statistics += offset;
  for (int64_t i = 0; i < channels; ++i) statistics[i] += rows * host[i];
  statistics += channels;
  for (int64_t i = 0; i < channels; ++i) {
    statistics[i] += rows * (1 / (inverses[i] * inverses[i]) - kEpsilon) * unbias;
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
