#include "trainer/engine/training/loss.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace coxswain::trainer::engine {
Loss::Loss(const data::SampleShape& shape, const std::vector<double>& class_weights,
           double label_smoothing, at::ScalarType dtype, at::Device device)
    : sequence_(shape.sequence),
      numbers_(shape.classes == 0 && shape.sequence == 0),
      label_smoothing_(label_smoothing),
      dtype_(dtype) {
  if (class_weights.empty()) return;
  class_weights_ = at::empty({static_cast<int64_t>(class_weights.size())}, at::kDouble);
  std::copy(class_weights.begin(), class_weights.end(), class_weights_.data_ptr<double>());
  class_weights_ = class_weights_.to(device, dtype);
}

at::Tensor Loss::Sum(const at::Tensor& outputs, const RowTensors& rows) const {
  return SumOf(outputs, rows, label_smoothing_);
}

at::Tensor Loss::SumOf(const at::Tensor& outputs, const RowTensors& rows, double smoothing) const {
  if (numbers_) {
    return at::mse_loss(outputs.squeeze(1), rows.targets.to(outputs.device(), dtype_),
                        at::Reduction::Sum);
  }
  const at::Tensor labels = rows.labels.to(outputs.device()).view({-1});
  return at::cross_entropy_loss(outputs.view({labels.size(0), -1}), labels, class_weights_,
                                at::Reduction::Sum, data::kNoLabel, smoothing);
}

void Loss::Evaluate(const at::Tensor& outputs, const RowTensors& rows, EvaluationSums* sums) const {
  const int64_t count = outputs.size(0);
  sums->rows += static_cast<double>(count);
  double loss = SumOf(outputs, rows, /*smoothing=*/0).item<double>();
  sums->loss += loss;
  if (!numbers_) {
    const at::Tensor labels = rows.labels.to(outputs.device()).view({-1});
    at::Tensor correct = outputs.view({labels.size(0), -1}).argmax(1).eq(labels).sum();
    sums->correct += static_cast<double>(correct.item<int64_t>());
    sums->terms += static_cast<double>(labels.ne(data::kNoLabel).sum().item<int64_t>());
    return;
  }
  sums->terms += static_cast<double>(count);
  sums->error += loss;
  const auto* targets = rows.targets.const_data_ptr<double>();
  for (int64_t i = 0; i < count; ++i) {
    sums->target += targets[i];
    sums->target_squared += targets[i] * targets[i];
  }
}

EvaluationResult Loss::Finish(const EvaluationSums& sums, double target_std) const {
  EvaluationResult result;
  result.loss = sums.loss / sums.terms;
  result.samples = static_cast<int64_t>(sums.rows);
  if (!numbers_) {
    result.accuracy = sums.correct / sums.terms;
    if (sequence_ > 0) result.perplexity = std::exp(result.loss);
    return result;
  }
  result.accuracy = -1;
  result.mse = sums.error / sums.rows * target_std * target_std;
  double spread = sums.target_squared - sums.target * sums.target / sums.rows;
  result.r2 = spread > 0 ? 1 - sums.error / spread : 0;
  return result;
}

std::vector<double> ClassWeights(const config::Train& train, const std::vector<int64_t>& counts) {
  if (!train.balanced_classes) return train.class_weights;
  auto samples = static_cast<double>(std::accumulate(counts.begin(), counts.end(), int64_t{0}));
  std::vector<double> weights;
  for (int64_t count : counts) {
    // A class without samples never counts.
    weights.push_back(
        count == 0 ? 0
                   : samples / (static_cast<double>(counts.size()) * static_cast<double>(count)));
  }
  return weights;
}

}  // namespace coxswain::trainer::engine
