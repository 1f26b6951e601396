// How training goes on and ends: evaluation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/common/config/example_job.h"

namespace coxswain::config {
namespace {

TEST(JobTraining, EvaluationBySteps_ReplacesThatByEpochsUnlessBothAreGiven) {
  EXPECT_EQ(Parsed(kJob).spec.train.evaluate_every_epochs, 1);
  EXPECT_EQ(Parsed(kJob).spec.train.evaluate_every_steps, 0);
  const Train steps = Parsed(kJob, {"spec.train.evaluate_every_steps=50"}).spec.train;
  EXPECT_EQ(steps.evaluate_every_steps, 50);
  EXPECT_EQ(steps.evaluate_every_epochs, 0);
  const Train both =
      Parsed(kJob, {"spec.train.evaluate_every_steps=50", "spec.train.evaluate_every_epochs=2"})
          .spec.train;
  EXPECT_EQ(both.evaluate_every_epochs, 2);
}

}  // namespace
}  // namespace coxswain::config
