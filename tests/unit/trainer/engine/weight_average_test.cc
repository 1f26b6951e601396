#include "trainer/engine/optim/weight_average.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace coxswain::trainer::engine {
namespace {

class WeightAverageTest : public testing::Test {
 protected:
  // After each step the weight is the step's number; returns the average after `steps`.
  double After(int64_t steps, const config::Ema& settings) {
    WeightAverage average(settings, {{"w", weight}});
    for (int64_t step = 1; step <= steps; ++step) {
      weight.fill_(static_cast<double>(step));
      average.Update(step);
    }
    EXPECT_EQ(average.state()[0].name, "ema.w");
    return average.state()[0].tensor.item<double>();
  }
  at::Tensor weight = at::full({}, 100.0, at::kDouble);
};

TEST_F(WeightAverageTest, BeginsWithTheFirstStepsWeights_AsAveragedModel) {
  EXPECT_DOUBLE_EQ(After(1, {0.9, false}), 1);
  EXPECT_DOUBLE_EQ(After(2, {0.9, false}), 0.9 * 1 + 0.1 * 2);
  EXPECT_DOUBLE_EQ(After(3, {0.9, false}), 0.9 * (0.9 * 1 + 0.1 * 2) + 0.1 * 3);
}

TEST_F(WeightAverageTest, WarmUpKeepsLessAtFirst) {
  const double second = 3.0 / 12 * 1 + 9.0 / 12 * 2;
  EXPECT_DOUBLE_EQ(After(2, {0.9, true}), second);
  EXPECT_DOUBLE_EQ(After(3, {0.9, true}), 4.0 / 13 * second + 9.0 / 13 * 3);
  EXPECT_DOUBLE_EQ(After(3, {0.1, true}), 0.1 * (0.1 * 1 + 0.9 * 2) + 0.9 * 3);
}

TEST_F(WeightAverageTest, WholeNumbersAreCopied_AndSwappedWithTheRest) {
  at::Tensor count = at::zeros({2}, at::kLong);
  WeightAverage average({0.5, false}, {{"w", weight}, {"count", count}});
  for (int64_t step = 1; step <= 3; ++step) {
    count.fill_(step);
    weight.fill_(static_cast<double>(step));
    average.Update(step);
  }
  EXPECT_EQ(average.state()[1].tensor[1].item<int64_t>(), 3);
  EXPECT_DOUBLE_EQ(average.state()[0].tensor.item<double>(), 2.25);
  count.fill_(9);
  AverageInPlace evaluated(&average);
  EXPECT_EQ(count[0].item<int64_t>(), 3);
  EXPECT_DOUBLE_EQ(weight.item<double>(), 2.25);
}

TEST_F(WeightAverageTest, InPlace_TheModelIsTheAverageAndThenItself) {
  WeightAverage average({0.5, false}, {{"w", weight}});
  weight.fill_(3);
  {
    AverageInPlace evaluated(&average);
    EXPECT_EQ(weight.item<double>(), 100);
    EXPECT_EQ(average.state()[0].tensor.item<double>(), 3);
  }
  EXPECT_EQ(weight.item<double>(), 3);
  EXPECT_EQ(average.state()[0].tensor.item<double>(), 100);
  AverageInPlace none(nullptr);
}

}  // namespace
}  // namespace coxswain::trainer::engine
