#include "trainer/state/flops.h"

#include <gtest/gtest.h>

namespace coxswain::trainer::state {
namespace {

using config::Precision;
using config::Recipe;

config::JobSpec Spec(Recipe recipe) {
  config::JobSpec spec;
  spec.model.recipe = recipe;
  return spec;
}

// torchvision's weights say so many GMACs for 224 x 224 pixels (`_ops`): 1.814, 3.664 and 4.089; a
// forward pass is two operations each, and backward two more passes.
TEST(Flops, OfResNets_AreThoseThatTorchvisionTells) {
  config::JobSpec spec = Spec(Recipe::kResNet);
  spec.data.classes = 1000;
  const std::pair<int64_t, double> told[] = {{18, 1.814}, {34, 3.664}, {50, 4.089}};
  for (const auto& [depth, gmacs] : told) {
    spec.model.depth = depth;
    EXPECT_NEAR(FlopsPerSample(spec, ImageShape{3, 224, 224}) / 6e9, gmacs, 0.001) << depth;
  }
  // Half the width: a quarter of all but the stem and the last layer, which take half.
  spec.model.depth = 18;
  const double whole = FlopsPerSample(spec, ImageShape{3, 224, 224});
  const double ends = 6.0 * (3 * 49 * 64 * 112 * 112 + 512 * 1000);
  spec.model.resnet_width = 32;
  EXPECT_DOUBLE_EQ(FlopsPerSample(spec, ImageShape{3, 224, 224}), (whole - ends) / 4 + ends / 2);
}

TEST(Flops, OfACnn_CountEachPlaceOfTheOutput) {
  config::JobSpec spec = Spec(Recipe::kCnn);
  spec.model.channels = {4, 6};
  spec.model.hidden = {5};
  spec.data.classes = 3;
  const double first = 9.0 * 1 * 4 * 10 * 8, second = 9.0 * 4 * 6 * 5 * 4;
  const double head = 6.0 * 2 * 2 * 5 + 5 * 3;
  EXPECT_DOUBLE_EQ(FlopsPerSample(spec, ImageShape{1, 10, 8}), 6 * (first + second + head));
}

TEST(Flops, OfAnMlp_AreSixForEachWeight) {
  config::JobSpec spec = Spec(Recipe::kMlp);
  spec.model.hidden = {7, 5};
  spec.model.embedding_dim = 4;
  spec.data.classes = 3;
  EXPECT_DOUBLE_EQ(FlopsPerSample(spec, TableShape{2, {9, 9}, 1}),
                   6.0 * ((2 + 8) * 7 + 7 * 5 + 5 * 1));
  EXPECT_DOUBLE_EQ(FlopsPerSample(spec, ImageShape{1, 2, 2}), 6.0 * (4 * 7 + 7 * 5 + 5 * 3));
}

// PaLM, appendix B: 6 N + 12 L H Q T a token. GPT-2: 124.4 M parameters, of which the 1024
// positions (768 each), norms and biases are not multiplied.
TEST(Flops, OfGpt2_AreSixForEachWeightAndAttentions) {
  const double weights = 12 * (4.0 * 768 * 768 + 8.0 * 768 * 768) + 50257.0 * 768;
  const double token = 6 * weights + 12.0 * 12 * 768 * 1024;
  EXPECT_DOUBLE_EQ(FlopsPerSample(Spec(Recipe::kGpt), config::TextShape{1024, 50257}),
                   1024 * token);
}

TEST(Flops, OfALlama_CountItsFewerKeysAndItsGate) {
  config::JobSpec spec = Spec(Recipe::kLlama);
  spec.model.transformer = {.layers = 2, .heads = 4, .width = 64, .kv_heads = 2};
  spec.model.transformer.feed_forward = 100;
  const double layer = 2.0 * 64 * 64 + 2.0 * 64 * 32 + 3.0 * 64 * 100 + 2.0 * 16 * 64;
  EXPECT_DOUBLE_EQ(FlopsPerSample(spec, config::TextShape{16, 50}),
                   16 * 6 * (2 * layer + 64.0 * 50));
}

TEST(PeakFlops, ByNvmlsNames_AndNoneWhereItIsNotKnown) {
  EXPECT_DOUBLE_EQ(PeakFlops("NVIDIA H200", Precision::kBf16), 989.4e12);
  EXPECT_DOUBLE_EQ(PeakFlops("NVIDIA H100 80GB HBM3", Precision::kFloat32), 67e12);
  EXPECT_DOUBLE_EQ(PeakFlops("NVIDIA H100 PCIe", Precision::kBf16), 756e12);
  EXPECT_DOUBLE_EQ(PeakFlops("NVIDIA A100-SXM4-80GB", Precision::kBf16), 312e12);
  for (const char* other : {"NVIDIA A10G", "NVIDIA GH200 480GB", "NVIDIA H200 MIG 1g.18gb", "L40",
                            "NVIDIA GeForce GTX 1080", ""}) {
    EXPECT_EQ(PeakFlops(other, Precision::kBf16), 0) << other;
  }
}

}  // namespace
}  // namespace coxswain::trainer::state
