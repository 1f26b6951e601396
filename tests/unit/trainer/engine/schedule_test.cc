#include "trainer/engine/optim/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

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

// torch.optim.lr_scheduler's closed forms; `t` counts the scheduler's steps from 0.
double LinearLr(double base, double start, double end, int64_t total, int64_t t) {
  const double done = static_cast<double>(std::min(total, t)) / static_cast<double>(total);
  return base * (start + (end - start) * done);
}
double CosineAnnealingLr(double base, double eta_min, int64_t t_max, int64_t t) {
  const double angle = M_PI * static_cast<double>(t) / static_cast<double>(t_max);
  return eta_min + (base - eta_min) * (1 + std::cos(angle)) / 2;
}

// SequentialLR([LinearLR(1 / w, 1, w - 1), second], milestones=[w]) over `total` steps, where
// second is CosineAnnealingLR(total - w - 1, eta_min) or LinearLR(1, final_fraction, total - w -
// 1).
TEST(LearningRate, IsThatOfPyTorchsSchedulers) {
  constexpr int64_t kTotal = 60;
  constexpr double kTop = 0.3, kFinal = 0.2;
  for (int64_t warmup : {0, 2, 9}) {
    for (int64_t step = 1; step <= kTotal; ++step) {
      const int64_t t = step - 1, after = t - warmup, length = kTotal - warmup - 1;
      const auto rate = [&](config::ScheduleName name, double final_fraction) {
        return LearningRate({name, warmup, final_fraction}, kTop, step, kTotal);
      };
      double constant = kTop, linear = LinearLr(kTop, 1, kFinal, length, after),
             cosine = CosineAnnealingLr(kTop, kTop * kFinal, length, after);
      if (t < warmup) {
        constant = linear = cosine =
            LinearLr(kTop, 1.0 / static_cast<double>(warmup), 1, warmup - 1, t);
      }
      EXPECT_NEAR(rate(config::ScheduleName::kConstant, 0), constant, 1e-15);
      EXPECT_NEAR(rate(config::ScheduleName::kLinear, kFinal), linear, 1e-15);
      EXPECT_NEAR(rate(config::ScheduleName::kCosine, kFinal), cosine, 1e-15);
    }
  }
}

}  // namespace
}  // namespace coxswain::trainer::engine
