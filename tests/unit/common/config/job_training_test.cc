// How training goes on and ends: evaluation, the best checkpoint, early stopping.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/common/config/example_job.h"

namespace coxswain::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

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

TEST(JobTraining, EarlyStoppingAndBest_AreRead) {
  const JobSpec job = Parsed(kJob, {"spec.train.early_stopping={metric: accuracy, patience: 3}",
                                    "spec.checkpoint.best={metric: loss, export: true}"})
                          .spec;
  EXPECT_EQ(job.train.early_stopping.metric, Metric::kAccuracy);
  EXPECT_EQ(job.train.early_stopping.patience, 3);
  EXPECT_EQ(job.train.early_stopping.min_delta, 0);
  EXPECT_EQ(job.checkpoint.best, Metric::kLoss);
  EXPECT_TRUE(job.checkpoint.export_best);
  EXPECT_FALSE(Parsed(kJob).spec.checkpoint.best);
  EXPECT_EQ(Parsed(kJob).spec.train.early_stopping.patience, 0);
}

TEST(JobTraining, MetricOfOtherData_IsRefused) {
  EXPECT_THAT(MistakesIn(kJob, {"spec.train.early_stopping={metric: r2, patience: 3}"}),
              ElementsAre(HasSubstr("spec.train.early_stopping.metric: found r2, which belongs to "
                                    "a regression (spec.data.task); expected loss or accuracy")));
  EXPECT_THAT(MistakesIn(kJob, {"spec.checkpoint.best={metric: perplexity}"}),
              ElementsAre(HasSubstr("spec.checkpoint.best.metric: found")));
  EXPECT_THAT(MistakesIn(kJob, {"spec.checkpoint.best={export: true}"}),
              ElementsAre(HasSubstr("missing key 'metric' in spec.checkpoint.best")));
}

// What the other keys should have been nobody knows then.
TEST(JobTraining, WrongChoice_IsTheOnlyMistake) {
  const std::string tables =
      "apiVersion: coxswain/v1\nkind: TrainingJob\nmetadata: {name: rows}\nspec:\n"
      "  data:\n    format: cvs\n    train: {files: [a.csv]}\n    target: y\n    nulls: mean\n";
  EXPECT_THAT(MistakesIn(tables), ElementsAre(HasSubstr("spec.data.format: found \"cvs\"")));
  EXPECT_THAT(MistakesIn(kJob, {"spec.model={recipe: resnett, depth: 18, stem: small}"}),
              ElementsAre(HasSubstr("spec.model.recipe: found \"resnett\"")));
  EXPECT_THAT(MistakesIn(kJob, {"spec.train.optimizer={name: sdg, momentum: 0.9}"}),
              ElementsAre(HasSubstr("spec.train.optimizer.name: found \"sdg\"")));
  EXPECT_THAT(MistakesIn(kJob, {"spec.train.schedule={name: cosin, final_fraction: 0.1}"}),
              ElementsAre(HasSubstr("spec.train.schedule.name: found \"cosin\"")));
}

TEST(JobTraining, WithoutEvaluation_NothingCanBeJudged) {
  const std::string blind = Replaced(
      "    evaluate: {images: /data/t10k-images.gz, labels: file:///data/t10k-labels.gz}\n", "");
  EXPECT_THAT(MistakesIn(blind, {"spec.train.early_stopping={metric: loss, patience: 3}"}),
              ElementsAre(HasSubstr("needs an evaluation set (spec.data.evaluate)")));
}

}  // namespace
}  // namespace coxswain::config
