#include "trainer/engine/training/loss.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace coxswain::trainer::engine {
namespace {

// `each`: labels of a row.
at::Tensor Labels(const data::Rows& rows, int64_t each, int64_t begin, int64_t end) {
  return at::from_blob(const_cast<int64_t*>(rows.labels.data()) + begin * each,
                       {(end - begin) * each}, at::TensorOptions().dtype(at::kLong));
}

}  // namespace

Loss::Loss(const data::SampleShape& shape, const std::vector<double>& class_weights,
           double label_smoothing, at::ScalarType dtype)
    : sequence_(shape.sequence),
      numbers_(shape.classes == 0 && shape.sequence == 0),
      label_smoothing_(label_smoothing),
      dtype_(dtype) {
  if (class_weights.empty()) return;
  class_weights_ = at::empty({static_cast<int64_t>(class_weights.size())}, at::kDouble);
  std::copy(class_weights.begin(), class_weights.end(), class_weights_.data_ptr<double>());
  class_weights_ = class_weights_.to(dtype);
}

at::Tensor Loss::Targets(const data::Rows& rows, int64_t begin, int64_t end) const {
  return at::from_blob(const_cast<double*>(rows.targets.data()) + begin, {end - begin},
                       at::TensorOptions().dtype(at::kDouble))
      .to(dtype_);
}

at::Tensor Loss::Sum(const at::Tensor& outputs, const data::Rows& rows, int64_t begin,
                     int64_t end) const {
  return SumOf(outputs, rows, begin, end, label_smoothing_);
}

at::Tensor Loss::SumOf(const at::Tensor& outputs, const data::Rows& rows, int64_t begin,
                       int64_t end, double smoothing) const {
  if (numbers_) {
    return at::mse_loss(outputs.squeeze(1), Targets(rows, begin, end).to(outputs.device()),
                        at::Reduction::Sum);
  }
  const at::Tensor labels =
      Labels(rows, std::max<int64_t>(1, sequence_), begin, end).to(outputs.device());
  const at::Tensor weights =
      class_weights_.defined() ? class_weights_.to(outputs.device()) : class_weights_;
  return at::cross_entropy_loss(outputs.view({labels.size(0), -1}), labels, weights,
                                at::Reduction::Sum, data::kNoLabel, smoothing);
}

void Loss::Evaluate(const at::Tensor& outputs, const data::Rows& rows, EvaluationSums* sums) const {
  sums->rows += static_cast<double>(rows.count);
  double loss = SumOf(outputs, rows, 0, rows.count, /*smoothing=*/0).item<double>();
  sums->loss += loss;
  if (!numbers_) {
    const at::Tensor labels =
        Labels(rows, std::max<int64_t>(1, sequence_), 0, rows.count).to(outputs.device());
    at::Tensor correct = outputs.view({labels.size(0), -1}).argmax(1).eq(labels).sum();
    sums->correct += static_cast<double>(correct.item<int64_t>());
    sums->terms += static_cast<double>(labels.ne(data::kNoLabel).sum().item<int64_t>());
    return;
  }
  sums->terms += static_cast<double>(rows.count);
  sums->error += loss;
  for (double target : rows.targets) {
    sums->target += target;
    sums->target_squared += target * target;
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
