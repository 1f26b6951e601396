// Models that we write load in the real `transformers`, theirs load here, and both give the same
// logits. Where a Python with torch and transformers is there (COXSWAIN_PEERS, as the benchmarks
// make it).
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/base/rng.h"
#include "common/config/transformer.h"
#include "model_for_peer.h"
#include "peer.h"
#include "trainer/blob/checkpoint_io.h"
#include "trainer/engine/model/model.h"
#include "trainer/engine/pretrained/hf_config.h"
#include "trainer/engine/pretrained/model_folder.h"
#include "trainer/state/transformer_list.h"

namespace coxswain::trainer::engine {
namespace {

constexpr int64_t kRows = 3, kTokens = 20, kVocabulary = 53;

class TransformersPeer : public Peer {
 protected:
  void SetUp() override {
    Peer::SetUp();
    base::Rng rng(4);
    for (int64_t i = 0; i < kRows * kTokens; ++i) {
      ids_.push_back(static_cast<int64_t>(rng.Below(static_cast<uint64_t>(kVocabulary))));
    }
    WriteNumbers(ids_);
  }

  static config::Model Recipe(config::Recipe recipe) {
    config::Model model;
    model.recipe = recipe;
    model.transformer.layers = 2;
    model.transformer.heads = 4;
    model.transformer.width = 32;
    model.transformer.context = 24;
    if (recipe == config::Recipe::kLlama) model.transformer.kv_heads = 2;
    return model;
  }
  static data::SampleShape Sample() {
    data::SampleShape sample;
    sample.sequence = kTokens;
    sample.vocabulary = kVocabulary;
    return sample;
  }

  at::Tensor Logits(Model& model) {
    c10::AutoGradMode no_grad(false);
    Inputs inputs;
    inputs.ids = at::from_blob(ids_.data(), {kRows, kTokens}, at::kLong);
    return model.Forward(inputs, {}).contiguous();
  }

  void ExpectTheirLogits(const at::Tensor& ours, double tolerance) {
    const std::vector<double> numbers = TheirNumbers();
    ASSERT_EQ(numbers.size(), static_cast<size_t>(ours.numel()));
    at::Tensor theirs = at::empty_like(ours);
    std::memcpy(theirs.data_ptr(), numbers.data(), numbers.size() * sizeof(double));
    EXPECT_GT(theirs.abs().max().item<double>(), 1e-3);
    EXPECT_LT((ours - theirs).abs().max().item<double>(), tolerance);
  }

  // We write, they read.
  void ExpectTheyLoad(const config::Model& recipe, double tolerance) {
    std::unique_ptr<Model> model = MakeModel(recipe, Sample(), at::kDouble, 5);
    Stir(model->parameters(), 6);
    config::Model resolved = recipe;
    resolved.transformer = config::ResolvedTransformer(recipe, kTokens, kVocabulary);
    StoreForPeer(folder_ + "/ours", model->parameters(), pretrained::HfConfig(resolved, true, -1));
    Run("logits " + folder_ + "/ours", kRows);
    ExpectTheirLogits(Logits(*model), tolerance);
  }

  // They write, we read.
  void ExpectWeLoad(config::Recipe recipe, const std::string& kind, const std::string& dtype,
                    double tolerance) {
    Run("make " + kind + " " + dtype + " " + folder_ + "/theirs", kRows);
    config::Model model;
    model.recipe = recipe;
    model.from = folder_ + "/theirs";
    auto resolved = pretrained::ResolveModel(model, {});
    ASSERT_TRUE(resolved.ok()) << resolved.status();
    EXPECT_EQ(resolved->transformer.layers, 2);
    EXPECT_EQ(resolved->transformer.vocabulary, kVocabulary);
    EXPECT_EQ(resolved->transformer.tied, kind != "llama");
    std::unique_ptr<Model> ours = MakeModel(*resolved, Sample(), at::kDouble, 5);
    auto weights = pretrained::ReadWeights(
        model.from,
        state::TransformerParameters(recipe,
                                     config::ResolvedTransformer(*resolved, kTokens, kVocabulary),
                                     blob::DType::kFloat64),
        {});
    ASSERT_TRUE(weights.ok()) << weights.status();
    for (size_t i = 0; i < ours->parameters().size(); ++i) {
      ASSERT_EQ(ours->parameters()[i].name, weights->tensors[i].name);
      std::memcpy(ours->parameters()[i].tensor.data_ptr(), weights->data[i].get(),
                  weights->tensors[i].bytes());
    }
    ExpectTheirLogits(Logits(*ours), tolerance);
  }

  std::vector<int64_t> ids_;
};

TEST_F(TransformersPeer, Gpt_TheyLoadOurs) { ExpectTheyLoad(Recipe(config::Recipe::kGpt), 1e-9); }

// Theirs normalizes and makes the angles of its positions in 32 bits, whatever the model is in.
TEST_F(TransformersPeer, Llama_TheyLoadOurs) {
  config::Model recipe = Recipe(config::Recipe::kLlama);
  recipe.transformer.tied = false;
  ExpectTheyLoad(recipe, 3e-4);
  recipe.transformer.tied = true;
  recipe.transformer.kv_heads = 4;
  recipe.transformer.rope_theta = 500;
  recipe.transformer.feed_forward = 40;
  ExpectTheyLoad(recipe, 3e-4);
}

TEST_F(TransformersPeer, Gpt_WeLoadTheirs) {
  ExpectWeLoad(config::Recipe::kGpt, "gpt2", "float32", 1e-9);
  ExpectWeLoad(config::Recipe::kGpt, "gpt2", "bfloat16", 1e-9);
}

TEST_F(TransformersPeer, Llama_WeLoadTheirs) {
  ExpectWeLoad(config::Recipe::kLlama, "llama", "float32", 3e-4);
  ExpectWeLoad(config::Recipe::kLlama, "llama-tied", "bfloat16", 3e-4);
}

TEST_F(TransformersPeer, Llama_WeLoadTheirsFromSeveralFiles) {
  ExpectWeLoad(config::Recipe::kLlama, "llama", "float16", 3e-4);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/theirs/model.safetensors"));
}

}  // namespace
}  // namespace coxswain::trainer::engine
