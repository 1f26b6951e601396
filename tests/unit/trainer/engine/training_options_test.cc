// What spec.train's options do to the numbers of a whole job: accumulation, clipping, label
// smoothing, decay, the average of the weights.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstring>

#include "ranks.h"
#include "texts.h"

namespace coxswain::trainer::engine {
namespace {

using Values = std::vector<double>;

config::JobSpec Spec() {
  config::JobSpec spec;
  spec.workers = 2;
  spec.model.recipe = config::Recipe::kMlp;
  spec.model.hidden = {12};
  spec.train.precision = config::Precision::kFloat64;
  spec.train.global_batch_size = 32;
  spec.train.epochs = 6;
  return spec;
}

config::JobSpec Sgd(double learning_rate) {
  config::JobSpec spec = Spec();
  spec.train.optimizer.name = config::OptimizerName::kSgd;
  spec.train.optimizer.weight_decay = 0;
  spec.train.optimizer.learning_rate = learning_rate;
  return spec;
}

const data::Dataset& Images() {
  static const auto set = MakeImages(96, 8, 10);
  return *set;
}

Values Of(const Saved& saved, const std::string& name) {
  for (size_t i = 0; i < saved.tensors.size(); ++i) {
    if (saved.tensors[i].name != name) continue;
    Values values(saved.bytes[i].size() / sizeof(double));
    std::memcpy(values.data(), saved.bytes[i].data(), saved.bytes[i].size());
    return values;
  }
  ADD_FAILURE() << name;
  return {};
}

// All parameters end to end.
Values Weights(const Saved& saved) {
  Values all;
  for (const char* name :
       {"layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"}) {
    for (double value : Of(saved, name)) all.push_back(value);
  }
  return all;
}

void ExpectNear(const Values& one, const Values& other, double tolerance) {
  ASSERT_EQ(one.size(), other.size());
  for (size_t i = 0; i < one.size(); ++i) ASSERT_NEAR(one[i], other[i], tolerance) << i;
}

// With w1 = w0 - g and w2 = w0 - 2 g: the gradient of the first step.
Values FirstGradient() {
  const Datasets sets{&Images(), nullptr};
  const Values one = Weights(Train(Sgd(1), sets, 1, 1).end);
  Values gradient = Weights(Train(Sgd(2), sets, 1, 1).end);
  for (size_t i = 0; i < one.size(); ++i) gradient[i] = one[i] - gradient[i];
  return gradient;
}

// Two ranks, each with two micro-batches of eight: one step over the mean of all 32 samples, as
// with one piece for each rank. Were gradients summed over the ranks at each micro-batch, the first
// one's would count twice.
TEST(Accumulation, MicroBatchesAddUpToOneStep) {
  const Datasets sets{&Images(), nullptr};
  config::JobSpec spec = Spec();
  const Curve whole = Train(spec, sets, 2, 9);
  for (int64_t size : {8, 5, 1}) {
    spec.train.micro_batch_size = size;
    const Curve accumulated = Train(spec, sets, 2, 9);
    ExpectNear(accumulated.losses, whole.losses, 1e-12);
    ExpectNear(Weights(accumulated.end), Weights(whole.end), 1e-12);
    EXPECT_EQ(accumulated.positions, whole.positions);
  }
}

// torch.nn.utils.clip_grad_norm_: g * min(1, max_norm / (norm + 1e-6)).
TEST(Clipping, IsThatOfTorch) {
  const Datasets sets{&Images(), nullptr};
  const Values gradient = FirstGradient(), free = Weights(Train(Sgd(1), sets, 1, 1).end);
  double norm = 0;
  for (double each : gradient) norm += each * each;
  norm = std::sqrt(norm);
  for (double clip : {norm / 3, norm * 3}) {
    config::JobSpec spec = Sgd(1);
    spec.train.clip_norm = clip;
    for (uint32_t world : {1u, 2u}) {
      const Curve clipped = Train(spec, sets, world, 1);
      EXPECT_NEAR(clipped.results[0].gradient_norm, norm, 1e-9);
      Values expected = free;
      const double scale = std::min(1.0, clip / (norm + 1e-6));
      for (size_t i = 0; i < free.size(); ++i) expected[i] += gradient[i] * (1 - scale);
      ExpectNear(Weights(clipped.end), expected, 1e-9);
    }
  }
}

TEST(Decay, OfMatricesAlone_LeavesBiasesToTheGradient) {
  const Datasets sets{&Images(), nullptr};
  config::JobSpec spec = Sgd(0.5);
  const Saved without = Train(spec, sets, 1, 1).end;
  spec.train.optimizer.weight_decay = 0.2;
  const Saved all = Train(spec, sets, 1, 1).end;
  spec.train.optimizer.decay = config::Decay::kMatrices;
  const Saved matrices = Train(spec, sets, 1, 1).end;
  EXPECT_EQ(Of(matrices, "layers.0.weight"), Of(all, "layers.0.weight"));
  EXPECT_NE(Of(matrices, "layers.0.weight"), Of(without, "layers.0.weight"));
  EXPECT_EQ(Of(matrices, "layers.0.bias"), Of(without, "layers.0.bias"));
  EXPECT_NE(Of(matrices, "layers.0.bias"), Of(all, "layers.0.bias"));
}

TEST(LabelSmoothing, TrainsOnSmoothedTargets_AndIsEvaluatedWithoutThem) {
  const Datasets sets{&Images(), &Images()};
  config::JobSpec spec = Sgd(1e-30);  // the weights stay
  spec.train.global_batch_size = 96;
  const Curve plain = Train(spec, sets, 1, 1);
  spec.train.label_smoothing = 0.1;
  const Curve smoothed = Train(spec, sets, 1, 1), by_two = Train(spec, sets, 2, 1);
  EXPECT_DOUBLE_EQ(smoothed.evaluation.loss, plain.evaluation.loss);
  EXPECT_GT(std::abs(smoothed.losses[0] - plain.losses[0]), 1e-6);
  EXPECT_NEAR(by_two.losses[0], smoothed.losses[0], 1e-12);
}

// The average by hand, from the weights after each step.
TEST(Ema, IsTheAverageOfEachStepsWeights_WhateverTheRanks) {
  const Datasets sets{&Images(), &Images()};
  config::JobSpec spec = Spec();
  Values average;
  for (int64_t step = 1; step <= 5; ++step) {
    const Values weights = Of(Train(spec, sets, 1, step).end, "layers.0.weight");
    if (step == 1) average = weights;
    for (size_t i = 0; i < weights.size(); ++i) average[i] = 0.8 * average[i] + 0.2 * weights[i];
  }
  const Curve plain = Train(spec, sets, 1, 5);
  spec.train.ema = {0.8, false};
  const Curve one = Train(spec, sets, 1, 5), three = Train(spec, sets, 3, 5);
  ExpectNear(Of(one.end, "ema.layers.0.weight"), average, 1e-12);
  ExpectNear(Of(three.end, "ema.layers.0.weight"), average, 1e-9);
  EXPECT_EQ(Weights(one.end), Weights(plain.end)) << "training does not see it";
  EXPECT_NE(one.evaluation.loss, plain.evaluation.loss) << "evaluation does";
  EXPECT_NEAR(one.evaluation.loss, three.evaluation.loss, 1e-9);
}

TEST(Ema, GoesOnWithOtherRanks_AndWithTheSameRanksBitForBit) {
  const Datasets sets{&Images(), nullptr};
  config::JobSpec spec = Spec();
  spec.train.ema = {0.9, true};
  const Curve whole = Train(spec, sets, 2, 9), first = Train(spec, sets, 2, 4);
  EXPECT_EQ(Train(spec, sets, 2, 5, &first.end).end.bytes, whole.end.bytes);
  const Curve alone = Train(spec, sets, 1, 5, &first.end);
  ExpectNear(Of(alone.end, "ema.layers.0.weight"), Of(whole.end, "ema.layers.0.weight"), 1e-9);
}

// The average of the running statistics belongs to that of the weights.
TEST(Ema, OfBatchNorm_HasItsRunningStatistics) {
  config::JobSpec spec = Spec();
  spec.model.recipe = config::Recipe::kCnn;
  spec.model.channels = {4};
  spec.model.batch_norm = true;
  spec.train.ema = {0.5, false};
  const Saved one = Train(spec, {&Images(), nullptr}, 1, 1).end;
  const Saved two = Train(spec, {&Images(), nullptr}, 1, 2).end;
  const std::string name = "blocks.0.norm.running_var";
  Values expected = Of(one, name);
  const Values second = Of(two, name);
  for (size_t i = 0; i < expected.size(); ++i) expected[i] = (expected[i] + second[i]) / 2;
  ExpectNear(Of(two, "ema." + name), expected, 1e-12);
}

TEST(Ema, WhatIsExportedIsTheAverage) {
  config::JobSpec spec = Spec();
  spec.train.ema = {0.9, false};
  std::unique_ptr<Engine> engine = MakeEngine();
  EngineSettings settings;
  settings.spec = spec;
  ASSERT_TRUE(engine->Prepare(settings, {&Images(), &Images()}).ok());
  ASSERT_TRUE(engine->Join({base::Generation(1), 0, 1, "", 0, -1}, StartAfresh).ok());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(engine->Step({}).ok());
  ASSERT_TRUE(engine->Evaluate({}).ok());
  const Saved saved = Saved::Of(*engine, 3, 96);
  for (size_t i = 0; i < engine->ModelTensorCount(); ++i) {
    const std::string exported(engine->ModelBytes(i), saved.tensors[i].bytes());
    EXPECT_NE(exported, saved.bytes[i]);
    const auto named = [&](const blob::TensorInfo& each) {
      return each.name == "ema." + saved.tensors[i].name;
    };
    const auto found = std::find_if(saved.tensors.begin(), saved.tensors.end(), named);
    ASSERT_NE(found, saved.tensors.end());
    EXPECT_EQ(exported, saved.bytes[static_cast<size_t>(found - saved.tensors.begin())]);
  }
}

TEST(Ema, OfAModelToBeginWith_BeginsWithThatModel) {
  config::JobSpec spec = Spec();
  Saved saved = Train(spec, {&Images(), nullptr}, 1, 3).end;
  saved.model_only = true;
  saved.step = saved.position = 0;
  spec.train.ema = {0.9, false};
  std::unique_ptr<Engine> engine = MakeEngine();
  EngineSettings settings;
  settings.spec = spec;
  ASSERT_TRUE(engine->Prepare(settings, {&Images(), nullptr}).ok());
  ASSERT_TRUE(engine->Join({base::Generation(1), 0, 1, "", 0, -1}, saved.Restore()).ok());
  const Saved begun = Saved::Of(*engine, 0, 0);
  EXPECT_EQ(Of(begun, "ema.layers.0.weight"), Of(begun, "layers.0.weight"));
  EXPECT_EQ(Of(begun, "layers.0.weight"), Of(saved, "layers.0.weight"));
}

TEST(Phases, OfAStepInPieces_CountEachOfThem) {
  config::JobSpec spec = Spec();
  spec.train.micro_batch_size = (spec.train.global_batch_size + 3) / 4;
  for (uint32_t ranks : {1, 2}) {
    constexpr auto kWait = std::chrono::milliseconds(20);
    const auto wait = [&](int64_t, bool) { std::this_thread::sleep_for(kWait); };
    const Curve curve = Train(spec, {&Images(), nullptr}, ranks, 1, nullptr, {.before_pass = wait});
    const StepResult& step = curve.results.front();
    const auto pieces = 4 / ranks;
    EXPECT_GE(step.forward, pieces * kWait);
    EXPECT_GE(step.backward, pieces * kWait);
    EXPECT_LE(step.forward + step.backward + step.all_reduce + step.optimizer, step.total);
  }
}

TEST(SmallNumbers, BelowTheNormalOnes_AreZeroInAStep) {
  // A CPU takes long for products below 2^-126. (Threads are made with what their maker has.)
  std::atomic<int> looks = 0, zeros = 0;
  Train(Spec(), {&Images(), nullptr}, 2, 2, nullptr, {.before_pass = [&](int64_t, bool) {
          volatile float small = 1e-30F;
          ++looks;
          zeros += small * 1e-10F == 0 ? 1 : 0;
        }});
  EXPECT_GT(looks, 0);
  EXPECT_EQ(zeros, looks);
}

}  // namespace
}  // namespace coxswain::trainer::engine
