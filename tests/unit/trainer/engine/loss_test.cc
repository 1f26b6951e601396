#include "trainer/engine/training/loss.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace coxswain::trainer::engine {
namespace {

// PyTorch's cross_entropy, as its documentation writes it: each of the C classes has the target
// smoothing / C, the label's 1 - smoothing more, each weighted by its class; of log softmax.
double ByDefinition(const at::Tensor& logits, const std::vector<int64_t>& labels,
                    const std::vector<double>& weights, double smoothing) {
  const at::Tensor logs = logits.log_softmax(1);
  const int64_t classes = logits.size(1);
  double sum = 0;
  for (int64_t row = 0; row < logits.size(0); ++row) {
    const int64_t label = labels[static_cast<size_t>(row)];
    if (label == data::kNoLabel) continue;
    for (int64_t c = 0; c < classes; ++c) {
      const double target =
          smoothing / static_cast<double>(classes) + (c == label ? 1 - smoothing : 0);
      const double weight = weights.empty() ? 1 : weights[static_cast<size_t>(c)];
      sum -= weight * target * logs[row][c].item<double>();
    }
  }
  return sum;
}

class SmoothedLoss : public testing::TestWithParam<std::vector<double>> {};

TEST_P(SmoothedLoss, OfClasses_IsPyTorchsDefinition) {
  data::SampleShape shape;
  shape.classes = 3;
  data::Rows rows;
  rows.count = 4;
  rows.labels = {2, 0, 1, 2};
  const at::Tensor logits = at::arange(12, at::kDouble).sin().view({4, 3});
  for (double smoothing : {0.0, 0.1, 0.9}) {
    const Loss loss(shape, GetParam(), smoothing, at::kDouble);
    EXPECT_NEAR(loss.Sum(logits, RowTensors::Of(rows, shape, at::kDouble)).item<double>(),
                ByDefinition(logits, rows.labels, GetParam(), smoothing), 1e-12);
    EvaluationSums sums;
    loss.Evaluate(logits, RowTensors::Of(rows, shape, at::kDouble), &sums);
    EXPECT_NEAR(sums.loss, ByDefinition(logits, rows.labels, GetParam(), 0), 1e-12);
  }
}

INSTANTIATE_TEST_SUITE_P(Weights, SmoothedLoss,
                         testing::Values(std::vector<double>{}, std::vector<double>{1, 2.5, 0}));

TEST(SmoothedLossOfText, LeavesPlacesWithoutALabelOut) {
  data::SampleShape shape;
  shape.sequence = 2;
  shape.vocabulary = 4;
  data::Rows rows;
  rows.count = 2;
  rows.labels = {3, 1, 0, data::kNoLabel};
  const at::Tensor logits = at::arange(16, at::kDouble).sin().view({2, 2, 4});
  const Loss loss(shape, {}, 0.2, at::kDouble);
  EXPECT_NEAR(loss.Sum(logits, RowTensors::Of(rows, shape, at::kDouble)).item<double>(),
              ByDefinition(logits.view({4, 4}), rows.labels, {}, 0.2), 1e-12);
}

}  // namespace
}  // namespace coxswain::trainer::engine
