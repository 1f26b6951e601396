// Batch norm over the rows of a canonical micro-batch (ForwardPass), so that its numbers do not
// depend on how many ranks there are. As PyTorch's BatchNorm2d: epsilon 1e-5, momentum 0.1.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>

namespace coxswain::trainer::engine {

struct ForwardPass;

class BatchNorm {
 public:
  struct Tensors {
    at::Tensor weight, bias, running_mean, running_variance;  // (channels) each
  };
  // `offset`: where its sums begin in ForwardPass::statistics.
  BatchNorm(Tensors tensors, size_t offset) : t_(std::move(tensors)), offset_(offset) {}

  // x: (rows, channels, height, width).
  at::Tensor Forward(const at::Tensor& x, const ForwardPass& pass) const;
  // How many doubles of ForwardPass::statistics are its own: mean and unbiased variance of each
  // channel, times the rows.
  size_t statistics_size() const { return 2 * static_cast<size_t>(t_.weight.numel()); }
  // Running statistics move once a step, by the mean over the step's micro-batches.
  void UpdateStatistics(const double* statistics, double rows);

 private:
  void AddStatistics(const at::Tensor& x, const at::Tensor& mean, const at::Tensor& inverse,
                     double* statistics) const;

  Tensors t_;
  size_t offset_;
};

}  // namespace coxswain::trainer::engine
