// gpt and llama: the same numbers whatever the number of ranks, and the mean over tokens.
#include <gtest/gtest.h>

#include <cmath>

#include "ranks.h"
#include "texts.h"
#include "trainer/state/state_list.h"

namespace coxswain::trainer::engine {
namespace {

constexpr int64_t kVocabulary = 19;

// 301 tokens: 38 windows of 8, the last of them with 4 labels.
const data::Dataset& Tokens() {
  static const auto set = MakeTokens(301, kVocabulary, 8);
  return *set;
}
const data::Dataset& OtherTokens() {
  static const auto set = MakeTokens(86, kVocabulary, 8);
  return *set;
}

void ExpectSameForAnyRanks(const config::JobSpec& spec) {
  Datasets sets{&Tokens(), &OtherTokens()};
  Curve one = Train(spec, sets, 1, 40);
  ASSERT_EQ(one.losses.size(), 36u);  // 38 windows in batches of 7: 6 steps an epoch
  EXPECT_LT(one.losses.back(), 0.8 * one.losses.front());
  EXPECT_NEAR(one.evaluation.perplexity, std::exp(one.evaluation.loss), 1e-9);
  EXPECT_EQ(one.evaluation.samples, 11);
  for (uint32_t world = 2; world <= 4; ++world) {
    Curve other = Train(spec, sets, world, 40);
    ASSERT_EQ(other.positions, one.positions);
    for (size_t i = 0; i < one.losses.size(); ++i) {
      ASSERT_NEAR(other.losses[i], one.losses[i], 1e-9 * one.losses[i])
          << "step " << i << " of " << world << " ranks";
    }
    EXPECT_NEAR(other.evaluation.loss, one.evaluation.loss, 1e-9 * one.evaluation.loss);
    EXPECT_EQ(other.evaluation.accuracy, one.evaluation.accuracy);
  }
}

TEST(Text, GptWithDropout_SameCurveForOneToFourRanks) {
  config::JobSpec spec = TextSpec(config::Recipe::kGpt);
  spec.model.dropout = 0.1;
  ExpectSameForAnyRanks(spec);
}

TEST(Text, LlamaOfMicroBatches_SameCurveForOneToFourRanks) {
  config::JobSpec spec = TextSpec(config::Recipe::kLlama);
  spec.train.micro_batch_size = 1;
  spec.train.clip_norm = 1;
  ExpectSameForAnyRanks(spec);
  spec.model.transformer.tied = false;
  ExpectSameForAnyRanks(spec);
}

// Micro-batches only sum up, tied gradients among them.
TEST(Text, MicroBatches_SameCurveAsTheWholeBatch) {
  for (auto recipe : {config::Recipe::kGpt, config::Recipe::kLlama}) {
    config::JobSpec spec = TextSpec(recipe);
    Datasets sets{&Tokens(), nullptr};
    Curve whole = Train(spec, sets, 1, 12);
    spec.train.micro_batch_size = 2;
    Curve parts = Train(spec, sets, 1, 12);
    for (size_t i = 0; i < whole.losses.size(); ++i) {
      ASSERT_NEAR(whole.losses[i], parts.losses[i], 1e-9 * whole.losses[i]) << "step " << i;
    }
  }
}

// A batch with the window that is filled up: a mean over the tokens that are there. With all
// windows in one batch the first loss is that of the model on every token, as evaluation has it.
TEST(Text, LossIsTheMeanOverTokens) {
  config::JobSpec spec = TextSpec(config::Recipe::kGpt);
  spec.train.global_batch_size = 38;
  spec.train.optimizer.learning_rate = 1e-12;  // the model stays what it is
  Curve curve = Train(spec, {&Tokens(), &Tokens()}, 2, 1);
  EXPECT_NEAR(curve.losses[0], curve.evaluation.loss, 1e-9);
  EXPECT_NEAR(curve.losses[0], std::log(static_cast<double>(kVocabulary)), 0.1);
}

TEST(Text, StateList_IsTheEngines) {
  for (auto recipe : {config::Recipe::kGpt, config::Recipe::kLlama}) {
    for (bool tied : {true, false}) {
      config::JobSpec spec = TextSpec(recipe);
      spec.model.transformer.tied = tied;
      spec.model.transformer.vocabulary = 32;
      spec.model.transformer.context = 9;
      std::unique_ptr<Engine> engine = MakeEngine();
      EngineSettings settings;
      settings.spec = spec;
      ASSERT_TRUE(engine->Prepare(settings, {&Tokens(), nullptr}).ok());
      state::StateList list = state::ListState(spec, config::TextShape{8, kVocabulary});
      EXPECT_EQ(list.tensors, engine->StateTensors());
    }
  }
}

TEST(Text, WhatDoesNotFitTheData_IsRefused) {
  auto why = [](const config::JobSpec& spec) {
    std::unique_ptr<Engine> engine = MakeEngine();
    EngineSettings settings;
    settings.spec = spec;
    return std::string(engine->Prepare(settings, {&Tokens(), nullptr}).message());
  };
  config::JobSpec spec = TextSpec(config::Recipe::kGpt);
  spec.model.transformer.context = 7;
  EXPECT_EQ(why(spec),
            "spec.data.sequence_length: found 8, expected at most 7, what the model can see "
            "(spec.model.context)");
  spec = TextSpec(config::Recipe::kGpt);
  spec.model.transformer.vocabulary = 18;
  EXPECT_EQ(why(spec),
            "spec.model.vocabulary: found 18, expected at least 19, the tokens of the data");
  EXPECT_EQ(why(TextSpec(config::Recipe::kMlp)), "spec.model.recipe: text is for gpt and llama");
}

// Weights alone to begin with: the optimizer's state begins at zero.
TEST(Text, BeginsWithAnotherModelsWeights) {
  config::JobSpec spec = TextSpec(config::Recipe::kGpt);
  Datasets sets{&Tokens(), &OtherTokens()};
  Curve first = Train(spec, sets, 1, 20);
  Saved weights = first.end;
  size_t model = 0;
  while (!weights.tensors[model].name.starts_with("optimizer.")) ++model;
  weights.tensors.resize(model);
  weights.bytes.resize(model);
  weights.step = weights.position = 0;
  weights.model_only = true;
  Curve second = Train(spec, sets, 2, 1, &weights);
  EXPECT_LT(second.losses[0], 0.8 * first.losses[0]);
  weights.model_only = false;  // as a checkpoint it is not whole
  std::unique_ptr<Engine> engine = MakeEngine();
  EngineSettings settings;
  settings.spec = spec;
  ASSERT_TRUE(engine->Prepare(settings, sets).ok());
  EXPECT_FALSE(engine->Join({base::Generation(1), 0, 1, "", 0, -1}, weights.Restore()).ok());
}

}  // namespace
}  // namespace coxswain::trainer::engine
