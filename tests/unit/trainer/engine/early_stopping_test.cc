// Early stopping: the count of evaluations, and that it goes with the state.
#include "trainer/engine/training/early_stopping.h"

#include <gtest/gtest.h>

#include <cmath>

namespace coxswain::trainer::engine {
namespace {

EvaluationResult WithLoss(double loss) {
  EvaluationResult result;
  result.loss = loss;
  return result;
}

TEST(EarlyStopping, NoBetterForItsPatience_StopsAndSaysWhy) {
  EarlyStopping stopping;
  stopping.Start({config::Metric::kLoss, 2, 0.1});
  EXPECT_EQ(stopping.Take(10, WithLoss(1)), "");
  EXPECT_EQ(stopping.Take(20, WithLoss(0.95)), "");  // better, but not by enough
  EXPECT_EQ(stopping.Take(30, WithLoss(0.8)), "");
  EXPECT_EQ(stopping.Take(40, WithLoss(2)), "");
  EXPECT_EQ(stopping.Take(50, WithLoss(0.75)),
            "early stopping: loss has not been better than 0.8 (step 30) by more than 0.1 in 2 "
            "evaluations");
}

TEST(EarlyStopping, AnEvaluationThatIsRepeated_CountsOnce) {
  EarlyStopping stopping;
  stopping.Start({config::Metric::kLoss, 2, 0});
  stopping.Take(10, WithLoss(1));
  EXPECT_EQ(stopping.Take(20, WithLoss(1)), "");
  EXPECT_EQ(stopping.Take(20, WithLoss(1)), "");
  EXPECT_EQ(stopping.Take(30, WithLoss(1)).substr(0, 15), "early stopping:");
  EXPECT_EQ(stopping.Take(30, WithLoss(1)).substr(0, 15), "early stopping:");
}

TEST(EarlyStopping, Accuracy_IsBetterWhenItIsHigher) {
  EarlyStopping stopping;
  stopping.Start({config::Metric::kAccuracy, 1, 0});
  EvaluationResult result;
  result.accuracy = 0.5;
  EXPECT_EQ(stopping.Take(1, result), "");
  result.accuracy = 0.6;
  EXPECT_EQ(stopping.Take(2, result), "");
  EXPECT_EQ(stopping.Take(3, result),
            "early stopping: accuracy has not been better than 0.6 (step 2) in 1 evaluation");
}

TEST(EarlyStopping, NoNumber_IsNoBetterThanAny) {
  EarlyStopping stopping;
  stopping.Start({config::Metric::kLoss, 2, 0});
  EXPECT_EQ(stopping.Take(1, WithLoss(std::nan(""))), "");
  EXPECT_EQ(stopping.Take(2, WithLoss(std::nan(""))),
            "early stopping: loss has been no number in 2 evaluations");
  EXPECT_EQ(stopping.Take(3, WithLoss(5)), "");
}

TEST(EarlyStopping, RecordOfAnother_GoesOnFromThere) {
  EarlyStopping first, second;
  first.Start({config::Metric::kLoss, 3, 0});
  second.Start({config::Metric::kLoss, 3, 0});
  first.Take(1, WithLoss(1));
  first.Take(2, WithLoss(1));
  second.Set(first.record());
  for (int64_t step : {3, 4, 5}) {
    EXPECT_EQ(first.Take(step, WithLoss(1)), second.Take(step, WithLoss(1)));
  }
}

TEST(EarlyStopping, NotAskedFor_NeverStops) {
  EarlyStopping stopping;
  for (int64_t step = 1; step < 100; ++step) EXPECT_EQ(stopping.Take(step, WithLoss(1)), "");
}

}  // namespace
}  // namespace coxswain::trainer::engine
