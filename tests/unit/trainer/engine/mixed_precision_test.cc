// precision: bf16 as training sees it: what is kept is float32, and the numbers stay near.
#include <gtest/gtest.h>

#include <cmath>

#include "ranks.h"
#include "texts.h"
#include "trainer/state/state_list.h"

namespace coxswain::trainer::engine {
namespace {

using config::Recipe;

config::JobSpec Spec(Recipe recipe) {
  if (recipe == Recipe::kGpt || recipe == Recipe::kLlama) {
    config::JobSpec spec = TextSpec(recipe);
    spec.train.precision = config::Precision::kBf16;
    return spec;
  }
  config::JobSpec spec;
  spec.workers = 2;
  spec.model.recipe = recipe;
  spec.model.hidden = {24};
  spec.model.channels = {4, 6};
  spec.model.batch_norm = true;
  spec.train.precision = config::Precision::kBf16;
  spec.train.global_batch_size = 13;
  spec.train.epochs = 6;
  spec.train.optimizer.learning_rate = 3e-3;
  return spec;
}

const data::Dataset& SamplesOf(Recipe recipe) {
  static const auto images = MakeImages(120, 8, 10);
  static const auto tokens = MakeTokens(500, 12, 8);
  if (recipe == Recipe::kGpt || recipe == Recipe::kLlama) return *tokens;
  return *images;
}

class MixedPrecision : public testing::TestWithParam<Recipe> {
 protected:
  Datasets sets() const { return {&SamplesOf(GetParam()), &SamplesOf(GetParam())}; }
};

TEST_P(MixedPrecision, LossesAreNearThoseOfFloat32_ButNotThem) {
  config::JobSpec spec = Spec(GetParam());
  Curve mixed = Train(spec, sets(), 1, 20);
  spec.train.precision = config::Precision::kFloat32;
  Curve exact = Train(spec, sets(), 1, 20);
  ASSERT_EQ(mixed.losses.size(), 20u);
  for (size_t i = 0; i < 20; ++i) {
    ASSERT_NEAR(mixed.losses[i], exact.losses[i], 0.05 * exact.losses[0]) << "step " << i;
  }
  EXPECT_NE(mixed.losses, exact.losses);
  EXPECT_LT(mixed.losses.back(), 0.9 * mixed.losses.front());  // it does learn
  EXPECT_NE(mixed.evaluation.loss, exact.evaluation.loss);
  EXPECT_NEAR(mixed.evaluation.loss, exact.evaluation.loss, 0.05 * exact.losses[0]);
}

TEST_P(MixedPrecision, OtherRanksAreNear_TheSameRanksGiveTheSameBits) {
  const config::JobSpec spec = Spec(GetParam());
  Curve one = Train(spec, sets(), 1, 10), two = Train(spec, sets(), 2, 10);
  for (size_t i = 0; i < 10; ++i) {
    ASSERT_NEAR(one.losses[i], two.losses[i], 0.05 * one.losses[0]) << "step " << i;
  }
  Curve first = Train(spec, sets(), 2, 4);
  Curve second = Train(spec, sets(), 2, 6, &first.end);
  EXPECT_EQ(second.end.bytes, two.end.bytes);
}

TEST_P(MixedPrecision, WhatIsSavedIsFloat32_AndGoesOnInFloat32) {
  config::JobSpec spec = Spec(GetParam());
  const Saved saved = Train(spec, sets(), 1, 2).end;
  for (const blob::TensorInfo& tensor : saved.tensors) {
    EXPECT_EQ(tensor.dtype, blob::DType::kFloat32) << tensor.name;
  }
  spec.train.precision = config::Precision::kFloat32;
  EXPECT_EQ(Train(spec, sets(), 1, 1, &saved).positions.size(), 1u);
}

// Not of a resnet, whose norms over so few values make much of every rounding (autocast_test.cc has
// its outputs).
std::string NameOf(const testing::TestParamInfo<Recipe>& info) {
  static const char* const names[] = {"Mlp", "Cnn", "ResNet", "Gpt", "Llama"};
  return names[static_cast<int>(info.param)];
}
INSTANTIATE_TEST_SUITE_P(Recipes, MixedPrecision,
                         testing::Values(Recipe::kMlp, Recipe::kCnn, Recipe::kGpt, Recipe::kLlama),
                         NameOf);

TEST(MixedPrecisionMemory, CountsTheCopiesThatProductsTake) {
  config::JobSpec spec = TextSpec(Recipe::kGpt);
  const config::TextShape text{8, 12};
  spec.train.precision = config::Precision::kFloat32;
  const uint64_t without = state::ListState(spec, text).LeastMemory();
  spec.train.precision = config::Precision::kBf16;
  const state::StateList list = state::ListState(spec, text);
  // wte 12 x 16; two layers of 16 x (48 + 16 + 64) + 64 x 16; two bytes each. Not wpe, nor vectors.
  EXPECT_EQ(list.LeastMemory() - without, 2u * (12 * 16 + 2 * (16 * 128 + 64 * 16)));
}

}  // namespace
}  // namespace coxswain::trainer::engine
