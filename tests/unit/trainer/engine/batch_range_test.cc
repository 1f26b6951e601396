// A batch that is moved between generations, and the gradient noise that is measured for it.
#include <gtest/gtest.h>

#include <cmath>

#include "ranks.h"
#include "trainer/engine/optim/gradient_noise.h"

namespace coxswain::trainer::engine {
namespace {

constexpr int64_t kImages = 480;

config::JobSpec Spec() {
  config::JobSpec spec;
  spec.workers = 2;
  spec.model.recipe = config::Recipe::kMlp;
  spec.model.hidden = {8};
  spec.data.mean = 0.2;
  spec.data.std = 0.3;
  spec.train.precision = config::Precision::kFloat64;
  spec.train.global_batch_size = 16;
  spec.train.max_global_batch_size = 64;
  spec.train.epochs = 100;
  spec.train.optimizer = {};
  spec.train.optimizer.name = config::OptimizerName::kSgd;
  spec.train.optimizer.weight_decay = 0;
  return spec;
}

const data::Dataset& Images() {
  static const auto set = MakeImages(kImages, 6, 10);
  return *set;
}

// The parameters stay where they are, so that the noise has one true value.
config::JobSpec StandingStill() {
  config::JobSpec spec = Spec();
  spec.train.optimizer.learning_rate = 1e-14;
  return spec;
}

// From the gradient of every image, and of all of them.
double TrueNoise() {
  config::JobSpec spec = StandingStill();
  spec.train.clip_norm = 1e9;  // so that norms are told
  spec.train.max_global_batch_size = 0;
  Datasets sets{&Images(), nullptr};
  double squares = 0;
  spec.train.global_batch_size = 1;
  for (const StepResult& step : Train(spec, sets, 1, kImages).results) {
    squares += step.gradient_norm * step.gradient_norm / kImages;
  }
  spec.train.global_batch_size = kImages;
  double whole = std::pow(Train(spec, sets, 1, 1).results[0].gradient_norm, 2);
  return (squares - whole) / whole;
}

double MeasuredNoise(const config::JobSpec& spec, uint32_t world) {
  Datasets sets{&Images(), nullptr};
  int64_t steps = world == 1 ? 640 : 160;  // one alone measures every fourth
  return Train(spec, sets, world, steps, nullptr, {.global_batch = 48, .noise_every_steps = 1})
      .results.back()
      .gradient_noise;
}

TEST(MeasuredNoise, OneTwoAndFourRanksComeToTheTrueOne) {
  double truth = TrueNoise();
  ASSERT_GT(truth, 2);
  for (uint32_t world : {1, 2, 4}) {
    EXPECT_NEAR(MeasuredNoise(StandingStill(), world), truth, 0.2 * truth) << world << " ranks";
  }
}

TEST(MeasuredNoise, MicroBatchesOfBatchNorm_AreMeasuredToo) {
  config::JobSpec spec = StandingStill();
  spec.model.recipe = config::Recipe::kCnn;
  spec.model.channels = {3};
  spec.model.batch_norm = true;
  double one = MeasuredNoise(spec, 1), two = MeasuredNoise(spec, 2);
  ASSERT_GT(one, 0);
  EXPECT_NEAR(one, two, 0.3 * two);
}

TEST(MeasuredNoise, WithoutARangeNothingIsMeasured) {
  config::JobSpec spec = Spec();
  spec.train.max_global_batch_size = 0;
  Datasets sets{&Images(), nullptr};
  Curve curve = Train(spec, sets, 2, 20, nullptr, {.noise_every_steps = 1});
  EXPECT_EQ(curve.results.back().gradient_noise, 0);
  EXPECT_EQ(curve.end.noise.count, 0);
}

TEST(MeasuredNoise, GoesAlongWithACheckpointToOtherRanks) {
  Datasets sets{&Images(), nullptr};
  Curve first = Train(Spec(), sets, 2, 20, nullptr, {.noise_every_steps = 1});
  ASSERT_EQ(first.end.noise.count, 19);  // that of the last step is not told yet
  Curve second = Train(Spec(), sets, 3, 1, &first.end, {.noise_every_steps = 1000});
  EXPECT_EQ(second.end.noise.count, 19);
  EXPECT_EQ(second.results[0].gradient_noise, first.results.back().gradient_noise);
}

TEST(BatchOrder, AnotherBatch_GoesOnFromTheSameSampleToTheSameEnd) {
  config::JobSpec spec = Spec();
  spec.train.epochs = 3;
  Datasets sets{&Images(), nullptr};
  Curve first = Train(spec, sets, 1, 5);
  EXPECT_EQ(first.positions.back(), 80);
  Curve second = Train(spec, sets, 2, 2, &first.end, {.global_batch = 64});
  EXPECT_EQ(second.positions, (std::vector<int64_t>{144, 208}));
  Curve third = Train(spec, sets, 3, 0, &second.end, {.global_batch = 50});
  EXPECT_EQ(third.positions[5], 480) << "an epoch's last batch ends with it";
  EXPECT_EQ(third.positions[6], 530);
  EXPECT_EQ(third.positions.back(), 1440);
}

TEST(BatchOrder, MoreRanksThanSamples_IdleOnesTakePart) {
  Datasets sets{&Images(), nullptr};
  Curve one = Train(Spec(), sets, 1, 6, nullptr, {.global_batch = 3});
  Curve four = Train(Spec(), sets, 4, 6, nullptr, {.global_batch = 3});
  for (size_t i = 0; i < one.losses.size(); ++i) {
    EXPECT_NEAR(one.losses[i], four.losses[i], 1e-9 * one.losses[i]);
  }
}

TEST(BatchOrder, ScheduleGoesBySamples_AndTheRateByTheMeasuredNoise) {
  config::JobSpec spec = Spec();
  spec.train.epochs = 2;
  spec.train.schedule = {config::ScheduleName::kLinear, 10, 0};
  Datasets sets{&Images(), nullptr};
  const double top = spec.train.optimizer.learning_rate;
  Curve small = Train(spec, sets, 1, 0),
        large = Train(spec, sets, 1, 0, nullptr, {.global_batch = 64});
  EXPECT_DOUBLE_EQ(small.results[3].learning_rate, top * 0.4);
  EXPECT_DOUBLE_EQ(large.results[0].learning_rate, top * 0.4) << "64 samples are four steps of 16";
  EXPECT_DOUBLE_EQ(large.results.back().learning_rate, 0);
  EXPECT_EQ(small.results.back().learning_rate, large.results.back().learning_rate);
  // Measured: the same step has a higher rate.
  spec.train.schedule = {};
  Curve measured = Train(spec, sets, 2, 8, nullptr, {.global_batch = 64, .noise_every_steps = 1});
  for (const StepResult& step : measured.results) {
    EXPECT_DOUBLE_EQ(step.learning_rate, top * LearningRateGain(config::OptimizerName::kSgd, 64, 16,
                                                                step.gradient_noise));
  }
  EXPECT_GT(measured.results.back().learning_rate, 1.2 * top);
}

}  // namespace
}  // namespace coxswain::trainer::engine
