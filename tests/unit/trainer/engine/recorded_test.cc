// Steps that are recorded and done again (spec.train.cuda_graphs), with a stand-in for the GPU that
// does the same work each time: what it takes may come only from where each step's batch is put.
#include <c10/util/Exception.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "ranks.h"
#include "texts.h"

namespace coxswain::trainer::engine {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Recorder {
  int records = 0, replays = 0;

  TrainOptions Options() {
    TrainOptions options;
    options.record = [this](const std::function<void()>& work) -> std::function<void()> {
      ++records;
      work();
      return [this, work] {
        ++replays;
        work();
      };
    };
    return options;
  }
};

config::JobSpec With(config::JobSpec spec) {
  spec.train.cuda_graphs = true;
  return spec;
}

void ExpectSame(const Curve& one, const Curve& other) {
  EXPECT_EQ(one.losses, other.losses);
  EXPECT_EQ(one.positions, other.positions);
  EXPECT_EQ(one.end.tensors, other.end.tensors);
  EXPECT_EQ(one.end.bytes, other.end.bytes);
}

// All of it, alone without a group and as one on a GPU; returns how many steps were done again.
int ExpectSameSteps(const config::JobSpec& spec, const Datasets& sets) {
  const Curve usual = Train(spec, sets, 1, 0);
  int replays = 0;
  for (bool group_alone : {false, true}) {
    Recorder recorder;
    TrainOptions options = recorder.Options();
    options.group_alone = group_alone;
    options.send_batches = group_alone;
    ExpectSame(usual, Train(With(spec), sets, 1, 0, nullptr, options));
    EXPECT_EQ(recorder.records, 1);
    replays = recorder.replays;
  }
  return replays;
}

const data::Dataset& Images() {
  static const auto set = MakeImages(60, 8, 10);
  return *set;
}
const data::Dataset& Tokens() {
  static const auto set = MakeTokens(301, 19, 8);
  return *set;
}

// 60 samples in batches of 13: each epoch's fifth step is a smaller one, and goes the usual way.
config::JobSpec OfImages(config::Recipe recipe) {
  config::JobSpec spec;
  spec.model.recipe = recipe;
  spec.model.hidden = {12};
  spec.train.global_batch_size = 13;
  spec.train.epochs = 4;
  return spec;
}

TEST(Recorded, MlpWithDropout_SameStepsBitForBit) {
  for (config::Precision precision : {config::Precision::kFloat32, config::Precision::kFloat64}) {
    config::JobSpec spec = OfImages(config::Recipe::kMlp);
    spec.model.dropout = 0.3;
    spec.train.precision = precision;
    spec.train.label_smoothing = 0.1;
    spec.train.class_weights = {1, 2, 1, 1, 0.5, 1, 1, 1, 1, 3};
    EXPECT_EQ(ExpectSameSteps(spec, {&Images(), nullptr}), 4 * 4 - 3);
  }
}

TEST(Recorded, CnnWithBatchNormInMicroBatches_SameStepsBitForBit) {
  config::JobSpec spec = OfImages(config::Recipe::kCnn);
  spec.model.channels = {4, 6};
  spec.model.batch_norm = true;
  spec.model.dropout = 0.1;
  for (int64_t micro_batch : {0, 5}) {
    spec.train.micro_batch_size = micro_batch;
    EXPECT_EQ(ExpectSameSteps(spec, {&Images(), nullptr}), 4 * 4 - 3);
  }
}

TEST(Recorded, GptWithAllThatTrainingHas_SameStepsBitForBit) {
  config::JobSpec spec = TextSpec(config::Recipe::kGpt);
  spec.workers = 1;
  spec.model.dropout = 0.2;
  spec.train.micro_batch_size = 3;
  spec.train.clip_norm = 0.5;
  spec.train.ema = {0.9, true};
  spec.train.schedule = {config::ScheduleName::kCosine, 5, 0.1};
  for (bool again : {false, true}) {
    spec.model.activation_checkpointing = again;
    EXPECT_GT(ExpectSameSteps(spec, {&Tokens(), nullptr}), 20);
  }
}

TEST(Recorded, LlamaInBf16_SameStepsBitForBit) {
  config::JobSpec spec = TextSpec(config::Recipe::kLlama);
  spec.workers = 1;
  spec.train.precision = config::Precision::kBf16;
  spec.train.optimizer = {.name = config::OptimizerName::kSgd, .learning_rate = 0.1};
  EXPECT_GT(ExpectSameSteps(spec, {&Tokens(), nullptr}), 20);
}

TEST(Recorded, GoesOnFromASavedStateAndEvaluates) {
  const Datasets sets{&Images(), &Images()};
  const config::JobSpec spec = OfImages(config::Recipe::kMlp);
  const Curve first = Train(spec, sets, 1, 7);
  Recorder recorder;
  const Curve usual = Train(spec, sets, 1, 0, &first.end);
  const Curve recorded = Train(With(spec), sets, 1, 0, &first.end, recorder.Options());
  ExpectSame(usual, recorded);
  EXPECT_EQ(usual.evaluation.loss, recorded.evaluation.loss);
  EXPECT_EQ(recorder.records, 1);
}

// In the smaller step that ends the first epoch: from then on four samples go through at a time.
TEST(Recorded, MemoryRunsOut_RecordedAnewInSmallerPieces) {
  const Datasets sets{&Images(), nullptr};
  const config::JobSpec spec = OfImages(config::Recipe::kMlp);
  const auto no_memory_for_8 = [](int64_t samples, bool) {
    if (samples == 8) C10_THROW_ERROR(OutOfMemoryError, "no memory");
  };
  Recorder recorder;
  TrainOptions options = recorder.Options();
  options.before_pass = no_memory_for_8;
  const Curve recorded = Train(With(spec), sets, 1, 0, nullptr, options);
  ExpectSame(Train(spec, sets, 1, 0, nullptr, {.before_pass = no_memory_for_8}), recorded);
  EXPECT_EQ(recorded.results[3].most_at_once, 0);
  EXPECT_EQ(recorded.results[4].most_at_once, 4);
  EXPECT_EQ(recorder.records, 2);
  EXPECT_THAT(recorded.results[5].notice, HasSubstr("recorded: from step 6 on"));
}

TEST(Recorded, SaysSoOnceAndCannot_TheUsualWayWithOneLine) {
  const Datasets sets{&Images(), nullptr};
  const config::JobSpec spec = OfImages(config::Recipe::kMlp);
  Recorder recorder;
  const Curve recorded = Train(With(spec), sets, 1, 0, nullptr, recorder.Options());
  EXPECT_THAT(recorded.results[2].notice, IsEmpty());
  EXPECT_THAT(recorded.results[3].notice, HasSubstr("recorded: from step 4 on"));
  EXPECT_THAT(recorded.results[5].notice, IsEmpty());

  int tries = 0;
  TrainOptions refuses;
  refuses.group_alone = true;
  refuses.record = [&](const std::function<void()>& work) -> std::function<void()> {
    ++tries;
    work();
    throw std::runtime_error("not permitted when a stream is capturing\nat line 3");
  };
  const Curve refused = Train(With(spec), sets, 1, 0, nullptr, refuses);
  ExpectSame(recorded, refused);
  EXPECT_EQ(tries, 1);
  EXPECT_EQ(refused.results[3].notice,
            "forward and backward cannot be recorded (spec.train.cuda_graphs), and are done as "
            "without: not permitted when a stream is capturing");
  EXPECT_THAT(refused.results[5].notice, IsEmpty());
}

}  // namespace
}  // namespace coxswain::trainer::engine
