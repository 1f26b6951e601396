// The same numbers whatever the number of ranks, and whatever was interrupted.
#include <gtest/gtest.h>

#include <cmath>

#include "ranks.h"

namespace coxswain::trainer::engine {
namespace {

config::JobSpec Spec(config::Recipe recipe) {
  config::JobSpec spec;
  spec.workers = 2;
  spec.model.recipe = recipe;
  spec.model.hidden = {24};
  spec.model.channels = {4, 6};
  spec.data.mean = 0.2;
  spec.data.std = 0.3;
  spec.train.precision = config::Precision::kFloat64;
  spec.train.global_batch_size = 13;  // odd: ranks get unequal shares
  spec.train.epochs = 6;
  spec.train.optimizer.learning_rate = 3e-3;
  return spec;
}

const data::Dataset& Images() {
  static const auto set = MakeImages(120, 8, 10);
  return *set;
}
const data::Dataset& TestImages() {
  static const auto set = MakeImages(37, 8, 10);
  return *set;
}

void ExpectEqual(const Curve& one, const Curve& other, double tolerance) {
  ASSERT_EQ(one.losses.size(), other.losses.size());
  EXPECT_EQ(one.positions, other.positions);
  for (size_t i = 0; i < one.losses.size(); ++i) {
    ASSERT_NEAR(one.losses[i], other.losses[i], tolerance * std::abs(one.losses[i]))
        << "step " << i;
  }
  EXPECT_NEAR(one.evaluation.loss, other.evaluation.loss, tolerance * one.evaluation.loss);
  EXPECT_EQ(one.evaluation.accuracy, other.evaluation.accuracy);
}

TEST(RankCount, MlpWithDropout_SameCurveForOneToFour) {
  config::JobSpec spec = Spec(config::Recipe::kMlp);
  spec.model.dropout = 0.3;
  Datasets sets{&Images(), &TestImages()};
  Curve one = Train(spec, sets, 1, 50), two = Train(spec, sets, 2, 50),
        three = Train(spec, sets, 3, 50), four = Train(spec, sets, 4, 50);
  ASSERT_EQ(one.losses.size(), 50u);
  ExpectEqual(one, two, 1e-9);
  ExpectEqual(one, three, 1e-9);
  ExpectEqual(one, four, 1e-9);
  EXPECT_LT(one.losses.back(), 0.8 * one.losses.front());  // it does learn
}

TEST(RankCount, CnnWithBatchNormAndDropout_SameCurveForOneAndTwo) {
  config::JobSpec spec = Spec(config::Recipe::kCnn);
  spec.model.batch_norm = true;
  spec.model.dropout = 0.25;
  spec.train.micro_batch_size = 5;  // micro-batches of 5, 5 and 3
  spec.train.clip_norm = 1.0;
  spec.train.schedule = {config::ScheduleName::kCosine, 5, 0.1};
  Datasets sets{&Images(), &TestImages()};
  Curve one = Train(spec, sets, 1, 50), two = Train(spec, sets, 2, 50);
  ExpectEqual(one, two, 1e-9);
}

// Its many norms over few values make more of a rounding than other models do.
TEST(RankCount, ResNet_SameCurveForOneAndThree_AndItLearns) {
  config::JobSpec spec = Spec(config::Recipe::kResNet);
  spec.model.small_stem = true;
  spec.train.micro_batch_size = 5;
  Datasets sets{&Images(), &TestImages()};
  Curve one = Train(spec, sets, 1, 5), three = Train(spec, sets, 3, 5);
  ExpectEqual(one, three, 1e-7);
  EXPECT_LT(one.losses.back(), 0.8 * one.losses.front());
}

TEST(RankCount, MoreRanksThanMicroBatches_IdleRankChangesNothing) {
  config::JobSpec spec = Spec(config::Recipe::kCnn);
  spec.model.batch_norm = true;
  spec.train.micro_batch_size = 8;  // two a step, three ranks
  Datasets sets{&Images(), nullptr};
  ExpectEqual(Train(spec, sets, 1, 12), Train(spec, sets, 3, 12), 1e-9);
}

// Micro-batches are cut for the most ranks there may be: none of them idles, and none changes a
// loss.
TEST(RankCount, BatchNormWithARangeOfRanks_SameCurveForOneToFour) {
  config::JobSpec spec = Spec(config::Recipe::kCnn);
  spec.model.batch_norm = true;
  spec.min_workers = 1;
  spec.max_workers = 4;
  Datasets sets{&Images(), nullptr};
  Curve one = Train(spec, sets, 1, 12);
  for (uint32_t world = 2; world <= 4; ++world) {
    ExpectEqual(one, Train(spec, sets, world, 12), 1e-9);
  }
  spec.max_workers = 2;  // larger micro-batches are another job
  EXPECT_NE(Train(spec, sets, 1, 2).losses,
            std::vector(one.losses.begin(), one.losses.begin() + 2));
}

TEST(RankCount, SgdWithMomentum_SameCurve) {
  config::JobSpec spec = Spec(config::Recipe::kMlp);
  spec.train.optimizer = {};
  spec.train.optimizer.name = config::OptimizerName::kSgd;
  spec.train.optimizer.learning_rate = 0.05;
  spec.train.optimizer.momentum = 0.9;
  spec.train.optimizer.nesterov = true;
  Datasets sets{&Images(), nullptr};
  ExpectEqual(Train(spec, sets, 1, 30), Train(spec, sets, 2, 30), 1e-9);
}

TEST(Resume, OneRankStoppedThenTwo_GoesOnAsIfNothingHadHappened) {
  config::JobSpec spec = Spec(config::Recipe::kCnn);
  spec.model.batch_norm = true;
  spec.model.dropout = 0.25;
  Datasets sets{&Images(), &TestImages()};
  Curve whole = Train(spec, sets, 1, 30);
  Curve first = Train(spec, sets, 1, 17);
  Curve second = Train(spec, sets, 2, 13, &first.end);
  ASSERT_EQ(first.losses.size() + second.losses.size(), whole.losses.size());
  for (size_t i = 0; i < whole.losses.size(); ++i) {
    double loss = i < 17 ? first.losses[i] : second.losses[i - 17];
    ASSERT_NEAR(loss, whole.losses[i], 1e-9 * std::abs(whole.losses[i])) << "step " << i;
  }
  EXPECT_EQ(second.positions.back(), whole.positions.back());
}

TEST(Resume, SameRanks_SameBits) {
  config::JobSpec spec = Spec(config::Recipe::kMlp);
  Datasets sets{&Images(), nullptr};
  Curve whole = Train(spec, sets, 2, 20);
  Curve first = Train(spec, sets, 2, 9);
  Curve second = Train(spec, sets, 2, 11, &first.end);
  EXPECT_EQ(second.end.bytes, whole.end.bytes);
}

TEST(Resume, OtherModel_IsRefusedWithTheTensorsName) {
  config::JobSpec spec = Spec(config::Recipe::kMlp);
  Datasets sets{&Images(), nullptr};
  Saved saved = Train(spec, sets, 1, 1).end;
  spec.model.hidden = {25};
  std::unique_ptr<Engine> engine = MakeEngine();
  EngineSettings settings;
  settings.spec = spec;
  ASSERT_TRUE(engine->Prepare(settings, sets).ok());
  auto joined = engine->Join({base::Generation(1), 0, 1, "", 0, -1}, saved.Restore());
  EXPECT_EQ(joined.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(joined.status().message().find("'layers.0.weight'"), std::string::npos);
}

TEST(Loss, NotFinite_NamesTheRankAndAppliesNothing) {
  config::JobSpec spec = Spec(config::Recipe::kMlp);
  spec.train.optimizer.learning_rate = 1e200;
  std::unique_ptr<Engine> engine = MakeEngine();
  EngineSettings settings;
  settings.spec = spec;
  ASSERT_TRUE(engine->Prepare(settings, {&Images(), nullptr}).ok());
  ASSERT_TRUE(engine->Join({base::Generation(1), 0, 1, "", 0, -1}, StartAfresh).ok());
  absl::StatusOr<StepResult> result;
  for (int i = 0; i < 10; ++i) {
    result = engine->Step({});
    ASSERT_TRUE(result.ok());
    if (!result->not_finite.empty()) break;
  }
  EXPECT_EQ(result->not_finite, std::vector<base::Rank>{0});
}

}  // namespace
}  // namespace coxswain::trainer::engine
