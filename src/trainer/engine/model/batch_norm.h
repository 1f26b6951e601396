// Batch norm over the rows of a canonical micro-batch (ForwardPass), so that its numbers do not
// depend on how many ranks there are. As PyTorch's BatchNorm2d: epsilon 1e-5, momentum 0.1.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>

namespace coxswain::trainer::engine {

struct ForwardPass;

// What a layer's statistics of one micro-batch are made of, wherever the model is.
struct BatchMoments {
  size_t offset = 0;  // in ForwardPass::statistics
  double rows = 0, count = 0;
  at::Tensor values;  // doubles: each channel's mean, then each one's 1 / standard deviation

  // `host`: the values, in the machine's own memory.
  void AddTo(const double* host, double* statistics) const;
};

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
  Tensors t_;
  size_t offset_;
};

}  // namespace coxswain::trainer::engine
