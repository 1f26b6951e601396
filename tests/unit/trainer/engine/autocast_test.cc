// What runs in bfloat16 within a scope, and what comes of it.
#include "trainer/engine/model/autocast.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "trainer/engine/model/linear.h"
#include "trainer/engine/model/model.h"

namespace coxswain::trainer::engine {
namespace {

using config::Recipe;

config::Model RecipeOf(Recipe recipe) {
  config::Model model;
  model.recipe = recipe;
  model.hidden = {24};
  model.channels = {4, 6};
  model.batch_norm = recipe == Recipe::kCnn;
  model.dropout = recipe == Recipe::kLlama ? 0 : 0.1;
  model.small_stem = true;
  model.transformer.layers = 2;
  model.transformer.heads = 4;
  model.transformer.width = 16;
  if (recipe == Recipe::kLlama) model.transformer.kv_heads = 2;
  return model;
}

data::SampleShape ShapeFor(Recipe recipe) {
  data::SampleShape shape;
  if (recipe == Recipe::kGpt || recipe == Recipe::kLlama) {
    shape.sequence = 8;
    shape.vocabulary = 12;
  } else {
    shape.dense = {1, 8, 8};
    shape.classes = 10;
  }
  return shape;
}

class EachRecipe : public testing::TestWithParam<Recipe> {};

// What a model computes under the scope, and the gradients that come of it.
TEST_P(EachRecipe, OutputsAreBfloat16_AndGradientsFloat32) {
  const data::SampleShape shape = ShapeFor(GetParam());
  std::unique_ptr<Model> model = MakeModel(RecipeOf(GetParam()), shape, at::kFloat, 1);
  Inputs inputs;
  if (shape.sequence > 0) {
    inputs.ids = at::arange(4 * shape.sequence).remainder(12).view({4, shape.sequence});
  } else {
    inputs.dense = at::arange(256, at::kFloat).div(100).sin().view({4, 1, 8, 8});
  }
  ForwardPass pass;
  pass.training = true;
  const at::Tensor exact = model->Forward(inputs, pass);
  EXPECT_EQ(exact.scalar_type(), at::kFloat);
  for (bool train : {true, false}) {
    c10::AutoGradMode gradients(train);
    at::Tensor outputs;
    {
      AutocastScope mixed(true, at::kCPU);
      outputs = model->Forward(inputs, pass);
    }
    EXPECT_EQ(outputs.scalar_type(), at::kBFloat16);
    if (!train) continue;
    const at::Tensor difference = outputs.to(at::kFloat) - exact;
    EXPECT_LT(difference.norm().item<double>(), 0.2 * exact.norm().item<double>());
    outputs.to(at::kFloat).square().sum().backward();
  }
  for (const NamedTensor& parameter : model->parameters()) {
    EXPECT_EQ(parameter.tensor.scalar_type(), at::kFloat);
    ASSERT_TRUE(parameter.tensor.grad().defined()) << parameter.name;
    EXPECT_EQ(parameter.tensor.grad().scalar_type(), at::kFloat) << parameter.name;
  }
}

std::string NameOf(const testing::TestParamInfo<Recipe>& info) {
  static const char* const names[] = {"Mlp", "Cnn", "ResNet", "Gpt", "Llama"};
  return names[static_cast<int>(info.param)];
}
INSTANTIATE_TEST_SUITE_P(Autocast, EachRecipe,
                         testing::Values(Recipe::kMlp, Recipe::kCnn, Recipe::kResNet, Recipe::kGpt,
                                         Recipe::kLlama),
                         NameOf);

TEST(Autocast, TheCopyOfAWeightIsMadeOnce_AndGoneWithTheScope) {
  at::Tensor weight = at::ones({2, 3}).set_requires_grad(true);
  at::Tensor first;
  {
    AutocastScope mixed(true, at::kCPU);
    first = Lowered(weight);
    EXPECT_EQ(first.scalar_type(), at::kBFloat16);
    EXPECT_TRUE(first.is_same(Lowered(weight)));
  }
  EXPECT_TRUE(Lowered(weight).is_same(weight));
  weight.detach().mul_(2);
  AutocastScope mixed(true, at::kCPU);
  EXPECT_EQ(Lowered(weight).sum().item<double>(), 12);
}

// As autocast has it around at::linear, into the kept memory too.
TEST(Autocast, LinearsGradientsAreThoseOfAtLinear_BitForBit) {
  const at::Tensor start = at::arange(12, at::kFloat).div(7).view({3, 4});
  at::Tensor w = start.clone().set_requires_grad(true), w2 = start.clone().set_requires_grad(true);
  at::Tensor x = at::arange(8, at::kFloat).div(3).view({2, 4}).set_requires_grad(true);
  at::Tensor x2 = x.detach().clone().set_requires_grad(true);
  Linear linear(w2, {});
  for (int step = 0; step < 2; ++step) {
    linear.KeepGradientMemory();
    for (at::Tensor* each : {&w, &w2, &x, &x2}) each->mutable_grad().reset();
    at::Tensor theirs, ours;
    {
      AutocastScope mixed(true, at::kCPU);
      theirs = at::linear(x, w);
    }
    {
      AutocastScope mixed(true, at::kCPU);
      ours = linear.Forward(x2);
    }
    theirs.to(at::kFloat).square().sum().backward();
    ours.to(at::kFloat).square().sum().backward();
    EXPECT_TRUE(at::equal(w.grad(), w2.grad()));
    EXPECT_TRUE(at::equal(x.grad(), x2.grad()));
  }
}

}  // namespace
}  // namespace coxswain::trainer::engine
