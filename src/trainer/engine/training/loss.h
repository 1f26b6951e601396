// What a model's output is worth: the loss over rows, and what an evaluation counts. By what the
// samples' targets are: classes or next tokens (cross entropy), or numbers (squared error).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "trainer/engine/data/dataset.h"
#include "trainer/engine/device/row_tensors.h"
#include "trainer/engine/engine.h"

namespace coxswain::trainer::engine {

// Sums over rows, which ranks add up.
struct EvaluationSums {
  static constexpr size_t kCount = 7;
  double loss = 0, rows = 0;
  double terms = 0;    // of the loss's mean: rows, or the tokens that are predicted
  double correct = 0;  // of classes, or tokens
  double error = 0;    // of numbers: squared
  double target = 0, target_squared = 0;
  double* data() { return &loss; }
};
static_assert(sizeof(EvaluationSums) == EvaluationSums::kCount * sizeof(double));

class Loss {
 public:
  // `class_weights`: what a sample of each class counts; empty: 1 each. `label_smoothing`: that of
  // PyTorch's cross_entropy, for training alone.
  Loss(const data::SampleShape& shape, const std::vector<double>& class_weights,
       double label_smoothing, at::ScalarType dtype, at::Device device = at::kCPU);

  // Of the rows whose outputs these are: the sum that a step divides by its global batch
  // (TermsOf).
  at::Tensor Sum(const at::Tensor& outputs, const RowTensors& rows) const;
  // What the sum over a global batch is divided by: its samples, or the tokens that they predict.
  int64_t TermsOf(int64_t samples, int64_t missing_labels) const {
    return sequence_ > 0 ? samples * sequence_ - missing_labels : samples;
  }
  // Adds all of `rows`, which are in the machine's own memory. No gradients.
  void Evaluate(const at::Tensor& outputs, const RowTensors& rows, EvaluationSums* sums) const;
  // `target_std`: in which unit numbers go in.
  EvaluationResult Finish(const EvaluationSums& sums, double target_std) const;

 private:
  at::Tensor SumOf(const at::Tensor& outputs, const RowTensors& rows, double smoothing) const;

  const int64_t sequence_;  // labels of a sample of text; 0: no text
  const bool numbers_;
  const double label_smoothing_;
  const at::ScalarType dtype_;
  at::Tensor class_weights_;  // undefined: 1 each
};

// Those of the job: as given, or balanced by how often each class is there. Empty: 1 each.
std::vector<double> ClassWeights(const config::Train& train, const std::vector<int64_t>& counts);

}  // namespace coxswain::trainer::engine
