#include "trainer/engine/optim/schedule.h"

#include <gtest/gtest.h>

namespace coxswain::trainer::engine {
namespace {

TEST(LearningRate, WarmUpRisesToTheTopAtItsLastStep) {
  config::Schedule schedule{config::ScheduleName::kConstant, 4, 0};
  EXPECT_DOUBLE_EQ(LearningRate(schedule, 0.8, 1, 100), 0.2);
  EXPECT_DOUBLE_EQ(LearningRate(schedule, 0.8, 4, 100), 0.8);
  EXPECT_DOUBLE_EQ(LearningRate(schedule, 0.8, 100, 100), 0.8);
}

TEST(LearningRate, CosineAndLinearEndAtTheirFinalFraction) {
  config::Schedule cosine{config::ScheduleName::kCosine, 0, 0.1};
  EXPECT_DOUBLE_EQ(LearningRate(cosine, 1, 1, 101), 1);
  EXPECT_NEAR(LearningRate(cosine, 1, 51, 101), 0.55, 1e-12);
  EXPECT_NEAR(LearningRate(cosine, 1, 101, 101), 0.1, 1e-12);
  config::Schedule linear{config::ScheduleName::kLinear, 10, 0.5};
  EXPECT_DOUBLE_EQ(LearningRate(linear, 2, 11, 21), 2 * 1.0);
  EXPECT_NEAR(LearningRate(linear, 2, 21, 21), 1.0, 1e-12);
  EXPECT_NEAR(LearningRate(linear, 2, 30, 21), 1.0, 1e-12);  // beyond the end
}

TEST(LearningRate, RunsOfOneStepAreNotDividedByZero) {
  config::Schedule cosine{config::ScheduleName::kCosine, 0, 0};
  EXPECT_DOUBLE_EQ(LearningRate(cosine, 0.5, 1, 1), 0.5);
}

}  // namespace
}  // namespace coxswain::trainer::engine
