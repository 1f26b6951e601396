// A resnet that we write loads in the real `transformers`, theirs here, with the same logits.
#include <c10/core/GradMode.h>

#include "model_for_peer.h"
#include "peer.h"
#include "trainer/engine/pretrained/hf_config.h"
#include "trainer/engine/pretrained/model_folder.h"

namespace coxswain::trainer::engine {
namespace {

constexpr int64_t kRows = 3, kSide = 40, kClasses = 5;

class ResNetPeer : public Peer {
 protected:
  // Pixels from 0 to 255, which both divide by 255.
  std::vector<int64_t> Pixels() {
    base::Rng rng(8);
    std::vector<int64_t> pixels;
    for (int64_t i = 0; i < kRows * 3 * kSide * kSide; ++i) {
      pixels.push_back(static_cast<int64_t>(rng.Below(256)));
    }
    return pixels;
  }
};

TEST_F(ResNetPeer, TheyLoadOurs_WithRunningStatistics) {
  data::SampleShape sample;
  sample.dense = {3, kSide, kSide};
  sample.classes = kClasses;
  std::vector<int64_t> pixels = Pixels();
  WriteNumbers(pixels);
  at::Tensor images =
      at::from_blob(pixels.data(), {kRows, 3, kSide, kSide}, at::kLong).to(at::kDouble) / 255;
  for (const auto& [depth, width] : {std::pair{18, 64}, {18, 24}, {50, 64}}) {
    config::Model recipe;
    recipe.recipe = config::Recipe::kResNet;
    recipe.depth = depth;
    recipe.resnet_width = width;
    std::unique_ptr<Model> model = MakeModel(recipe, sample, at::kDouble, 5);
    std::vector<NamedTensor> tensors = model->parameters();
    tensors.insert(tensors.end(), model->buffers().begin(), model->buffers().end());
    Stir(model->buffers(), 9);
    StoreForPeer(folder_ + "/ours", tensors, pretrained::HfResNetConfig(recipe, true, 3, kClasses));
    Run("classes " + folder_ + "/ours", kRows);
    c10::AutoGradMode no_grad(false);
    at::Tensor ours = model->Forward({images, {}}, {}).contiguous();
    const std::vector<double> theirs = TheirNumbers();
    ASSERT_EQ(theirs.size(), static_cast<size_t>(ours.numel()));
    const double largest = ours.abs().max().item<double>();
    for (size_t i = 0; i < theirs.size(); ++i) {
      EXPECT_NEAR(ours.const_data_ptr<double>()[i], theirs[i], 1e-9 * largest) << depth;
    }
  }
}

TEST_F(ResNetPeer, WeLoadTheirs_WithRunningStatistics) {
  data::SampleShape sample;
  sample.dense = {3, kSide, kSide};
  sample.classes = kClasses;
  std::vector<int64_t> pixels = Pixels();
  WriteNumbers(pixels);
  at::Tensor images =
      at::from_blob(pixels.data(), {kRows, 3, kSide, kSide}, at::kLong).to(at::kDouble) / 255;
  for (const char* made : {"basic float32", "bottleneck bfloat16"}) {
    config::Model recipe;
    recipe.recipe = config::Recipe::kResNet;
    recipe.from = folder_ + "/theirs-" + made[1];
    Run(std::string("make-resnet ") + made + " " + recipe.from, kRows);
    auto resolved = pretrained::ResolveModel(recipe, {});
    ASSERT_TRUE(resolved.ok()) << resolved.status();
    EXPECT_EQ(resolved->depth, made[1] == 'a' ? 18 : 50);
    std::unique_ptr<Model> model = MakeModel(*resolved, sample, at::kDouble, 5);
    std::vector<NamedTensor> tensors = model->parameters();
    tensors.insert(tensors.end(), model->buffers().begin(), model->buffers().end());
    std::vector<blob::TensorInfo> wanted;
    for (const NamedTensor& each : tensors) {
      wanted.push_back({each.name, blob::DType::kFloat64, each.tensor.sizes().vec()});
    }
    auto weights = pretrained::ReadWeights(recipe.from, wanted, {});
    ASSERT_TRUE(weights.ok()) << weights.status();
    for (size_t i = 0; i < tensors.size(); ++i) {
      std::memcpy(tensors[i].tensor.data_ptr(), weights->data[i].get(), wanted[i].bytes());
    }
    c10::AutoGradMode no_grad(false);
    at::Tensor ours = model->Forward({images, {}}, {}).contiguous();
    const std::vector<double> theirs = TheirNumbers();
    ASSERT_EQ(theirs.size(), static_cast<size_t>(ours.numel()));
    const double largest = ours.abs().max().item<double>();
    EXPECT_GT(largest, 1e-3);
    for (size_t i = 0; i < theirs.size(); ++i) {
      EXPECT_NEAR(ours.const_data_ptr<double>()[i], theirs[i], 1e-9 * largest) << made;
    }
  }
}

}  // namespace
}  // namespace coxswain::trainer::engine
