// When memory runs out, a step goes through the model in smaller pieces, and comes to the same.
#include <c10/util/Exception.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "ranks.h"
#include "texts.h"

namespace coxswain::trainer::engine {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;

// Memory is enough for so many samples at once.
auto MemoryFor(int64_t most) {
  return [most](int64_t samples, bool) {
    if (samples > most) C10_THROW_ERROR(OutOfMemoryError, "no memory");
  };
}

config::JobSpec Spec() {
  config::JobSpec spec = TextSpec(config::Recipe::kGpt);
  spec.model.dropout = 0.2;
  spec.train.global_batch_size = 12;
  return spec;
}

const data::Dataset& Tokens() {
  static const auto set = MakeTokens(301, 19, 8);
  return *set;
}

void ExpectSameLosses(const Curve& one, const Curve& other) {
  ASSERT_EQ(one.losses.size(), other.losses.size());
  for (size_t i = 0; i < one.losses.size(); ++i) {
    ASSERT_NEAR(one.losses[i], other.losses[i], 1e-11 * one.losses[i]) << "step " << i;
  }
}

TEST(OutOfMemory, HalvedUntilItFits_SameLossesWithTheSameMasks) {
  const Datasets sets{&Tokens(), nullptr};
  for (int64_t micro_batch : {0, 4}) {
    config::JobSpec spec = Spec();
    spec.train.micro_batch_size = micro_batch;
    const Curve whole = Train(spec, sets, 2, 9);
    const Curve small = Train(spec, sets, 2, 9, nullptr, {.before_pass = MemoryFor(1)});
    ExpectSameLosses(whole, small);
    EXPECT_EQ(whole.results.back().most_at_once, 0);
    EXPECT_EQ(small.results.front().most_at_once, 1);
  }
}

TEST(OutOfMemory, SavedWithTheState_IsNotTriedAgain) {
  const Datasets sets{&Tokens(), nullptr};
  const Curve first = Train(Spec(), sets, 1, 3, nullptr, {.before_pass = MemoryFor(4)});
  EXPECT_EQ(first.results.back().most_at_once, 3);  // of 12: 6, 3
  int64_t largest = 0;
  const Curve then =
      Train(Spec(), sets, 1, 3, &first.end,
            {.before_pass = [&](int64_t samples, bool) { largest = std::max(largest, samples); }});
  EXPECT_EQ(largest, 3);
  EXPECT_EQ(then.results.back().most_at_once, 3);
}

// The kernel has ended the ranks of earlier attempts, whatever they had put through at a time.
TEST(OutOfMemory, EndedByTheKernel_TheNextAttemptBeginsWithHalfAsMany) {
  const Datasets sets{&Tokens(), nullptr};
  const auto begins_with = [&](uint32_t kills, const Saved* from, uint32_t ranks = 1) {
    return Train(Spec(), sets, ranks, 2, from, {.memory_kills = kills}).end;
  };
  const Saved whole = begins_with(0, nullptr), half = begins_with(1, nullptr);
  EXPECT_EQ(whole.most_at_once, 0);
  EXPECT_EQ(half.most_at_once, 6);  // of 12
  EXPECT_EQ(begins_with(1, nullptr, 2).most_at_once, 3);
  EXPECT_EQ(begins_with(9, nullptr).most_at_once, 1);
  EXPECT_EQ(begins_with(1, &half).most_at_once, 6) << "it was saved after the kill";
  EXPECT_EQ(begins_with(2, &half, 2).most_at_once, 3);
  EXPECT_EQ(begins_with(2, &whole).most_at_once, 3);
  config::JobSpec spec;
  spec.model.batch_norm = true;
  spec.model.channels = {4};
  spec.train.global_batch_size = 12;
  const auto images = MakeImages(60, 8, 10);
  const Datasets with_norm{images.get(), nullptr};
  EXPECT_EQ(Train(spec, with_norm, 1, 2, nullptr, {.memory_kills = 1}).end.most_at_once, 0);
}

TEST(OutOfMemory, InAnEvaluation_FewerAtOnceGiveTheSame) {
  const Datasets sets{&Tokens(), &Tokens()};
  config::JobSpec spec = Spec();
  spec.train.micro_batch_size = 2;
  const EvaluationResult whole = Train(spec, sets, 2, 1).evaluation;
  const EvaluationResult small =
      Train(spec, sets, 2, 1, nullptr, {.before_pass = MemoryFor(2)}).evaluation;
  EXPECT_EQ(whole.at_once, 0);
  EXPECT_THAT(small.at_once, AllOf(Ge(1), Le(2)));
  EXPECT_EQ(small.samples, whole.samples);
  EXPECT_NEAR(small.loss, whole.loss, 1e-11 * whole.loss);
  EXPECT_EQ(small.accuracy, whole.accuracy);
}

TEST(OutOfMemory, InAnEvaluationOfOneSample_IsTheEnd) {
  std::unique_ptr<Engine> engine = MakeEngine();
  EngineSettings settings;
  settings.spec = Spec();
  settings.before_pass = MemoryFor(0);
  ASSERT_TRUE(engine->Prepare(settings, {&Tokens(), &Tokens()}).ok());
  ASSERT_TRUE(engine->Join({base::Generation(1), 0, 1, "", 0}, StartAfresh).ok());
  const absl::Status end = engine->Evaluate({}).status();
  EXPECT_EQ(end.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(end.message()),
              EndsWith("(in an evaluation, with one sample at a time)"));
}

absl::Status FirstStep(const config::JobSpec& spec, const Datasets& sets, int64_t most) {
  std::unique_ptr<Engine> engine = MakeEngine();
  EngineSettings settings;
  settings.spec = spec;
  settings.before_pass = MemoryFor(most);
  CHECK(engine->Prepare(settings, sets).ok());
  CHECK(engine->Join({base::Generation(1), 0, 1, "", 0}, StartAfresh).ok());
  return engine->Step({}).status();
}

TEST(OutOfMemory, NotEvenOneSample_IsTheEnd) {
  const absl::Status end = FirstStep(Spec(), {&Tokens(), nullptr}, 0);
  EXPECT_EQ(end.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(end.message()), HasSubstr("out of memory"));
  EXPECT_THAT(std::string(end.message()), EndsWith("(with one sample at a time)"));
}

TEST(OutOfMemory, BatchNorm_IsNotChanged) {
  const auto images = MakeImages(60, 8, 10);
  config::JobSpec spec;
  spec.model.batch_norm = true;
  spec.model.channels = {4};
  spec.train.global_batch_size = 12;
  const absl::Status end = FirstStep(spec, {images.get(), nullptr}, 4);
  EXPECT_EQ(end.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(end.message()),
              HasSubstr("(with 12 samples at a time; fewer would change what batch norm computes: "
                        "set a smaller spec.train.micro_batch_size)"));
}

// In the backward pass whose gradients the ranks sum: the others have a part of them.
TEST(OutOfMemory, WithinTheSumOverRanks_TheStepBeginsAnewInANewGroup) {
  const Datasets sets{&Tokens(), nullptr};
  const config::JobSpec spec = Spec();
  const Curve whole = Train(spec, sets, 2, 4);
  Listener listener;
  std::atomic<int> thrown{0};
  auto rank_main = [&](uint32_t rank) {
    std::unique_ptr<Engine> engine = MakeEngine();
    EngineSettings settings;
    settings.spec = spec;
    settings.before_pass = [&, rank](int64_t samples, bool backward) {
      if (rank != 1 || !backward || samples <= 3) return;
      ++thrown;
      C10_THROW_ERROR(OutOfMemoryError, "no memory");
    };
    CHECK(engine->Prepare(settings, sets).ok());
    std::vector<double> losses;
    for (uint64_t generation = 1; losses.size() < 4; ++generation) {
      GroupSettings group{
          base::Generation(generation), rank, 2, "127.0.0.1", listener.port, listener.fd};
      auto joined = engine->Join(group, StartAfresh);
      CHECK(joined.ok()) << joined.status().ToString();
      EXPECT_EQ(engine->MostAtOnce(), generation == 1 ? 0 : 3);
      while (losses.size() < 4) {
        auto result = engine->Step({});
        if (!result.ok()) {
          EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable) << result.status();
          break;
        }
        losses.push_back(result->loss);
      }
    }
    return losses;
  };
  auto other = std::async(std::launch::async, rank_main, 1);
  const std::vector<double> mine = rank_main(0);
  other.get();
  EXPECT_EQ(thrown, 1);
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(mine[i], whole.losses[i], 1e-11 * mine[i]);
}

}  // namespace
}  // namespace coxswain::trainer::engine
