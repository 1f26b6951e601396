#include "trainer/engine/pretrained/model_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "common/config/transformer.h"
#include "trainer/blob/safetensors.h"
#include "trainer/engine/pretrained/hf_config.h"

namespace coxswain::trainer::pretrained {
namespace {

using blob::DType;
using blob::TensorInfo;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

config::Model Recipe(config::Recipe recipe) {
  config::Model model;
  model.recipe = recipe;
  return model;
}

class ModelFolderTest : public ::testing::Test {
 protected:
  ModelFolderTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "model-folderXXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~ModelFolderTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << bytes;
  }
  void WriteTensors(const std::string& name, const std::vector<TensorInfo>& tensors,
                    const std::string& data) {
    Write(name, blob::SafetensorsHeader(tensors, {{"format", "pt"}}) + data);
  }
  absl::StatusOr<std::vector<float>> Read(const std::vector<TensorInfo>& wanted) {
    auto weights = ReadWeights(folder_, wanted, {});
    if (!weights.ok()) return weights.status();
    std::vector<float> numbers;
    for (size_t i = 0; i < wanted.size(); ++i) {
      const size_t before = numbers.size();
      numbers.resize(before + wanted[i].bytes() / sizeof(float));
      std::memcpy(numbers.data() + before, weights->data[i].get(), wanted[i].bytes());
    }
    return numbers;
  }
  std::string Why(const std::vector<TensorInfo>& wanted) {
    EXPECT_EQ(CheckWeights(folder_, wanted, {}).message(), Read(wanted).status().message());
    return std::string(Read(wanted).status().message());
  }

  std::string folder_;
};

const std::string kBrains("\x80\x3f\x00\xc0", 4);  // 1, -2 as BF16
const std::string kHalves("\x00\x3c\x01\x00", 4);  // 1, 2^-24 as F16

TEST_F(ModelFolderTest, OtherPrecisionsNamesAndBuffers_AreTaken) {
  WriteTensors("model.safetensors",
               {{"wte.weight", DType::kBFloat16, {2}},
                {"h.0.attn.bias", DType::kUint8, {4}},
                {"transformer.wpe.weight", DType::kFloat16, {2}},
                {"lm_head.weight", DType::kBFloat16, {2}}},
               kBrains + "mask" + kHalves + kBrains);
  auto numbers = Read({{"transformer.wpe.weight", DType::kFloat32, {2}},
                       {"transformer.wte.weight", DType::kFloat32, {2}}});
  ASSERT_TRUE(numbers.ok()) << numbers.status();
  EXPECT_THAT(*numbers, ElementsAre(1, 0x1p-24f, 1, -2));
}

TEST_F(ModelFolderTest, SeveralFiles_AreFoundByTheIndex) {
  WriteTensors("model-00001-of-00002.safetensors", {{"a", DType::kBFloat16, {2}}}, kBrains);
  WriteTensors("model-00002-of-00002.safetensors", {{"b", DType::kFloat16, {2}}}, kHalves);
  Write("model.safetensors.index.json",
        R"({"weight_map": {"a": "model-00001-of-00002.safetensors",)"
        R"( "b": "model-00002-of-00002.safetensors"}})");
  auto numbers = Read({{"b", DType::kFloat32, {2}}, {"a", DType::kFloat32, {2}}});
  ASSERT_TRUE(numbers.ok()) << numbers.status();
  EXPECT_THAT(*numbers, ElementsAre(1, 0x1p-24f, 1, -2));
  std::filesystem::remove(folder_ + "/model-00002-of-00002.safetensors");
  EXPECT_THAT(Why({{"a", DType::kFloat32, {2}}}), HasSubstr("model-00002-of-00002.safetensors"));
}

TEST_F(ModelFolderTest, WhatDoesNotFit_IsNamed) {
  const std::vector<TensorInfo> wanted = {{"a", DType::kFloat32, {2}}};
  EXPECT_THAT(Why(wanted), HasSubstr("holds neither model.safetensors nor"));
  WriteTensors("model.safetensors", {{"b", DType::kBFloat16, {2}}}, kBrains);
  EXPECT_THAT(Why(wanted), HasSubstr("has no tensor 'a'"));
  WriteTensors("model.safetensors", {{"a", DType::kBFloat16, {2, 1}}}, kBrains);
  EXPECT_THAT(Why(wanted), HasSubstr("the tensor 'a' is BF16 [2, 1], expected floats of [2]"));
  WriteTensors("model.safetensors",
               {{"a", DType::kBFloat16, {2}}, {"q.bias", DType::kBFloat16, {2}}},
               kBrains + kBrains);
  EXPECT_THAT(Why(wanted), HasSubstr("the tensor 'q.bias' has no place in the model"));
  WriteTensors("model.safetensors", {{"a", DType::kBFloat16, {2}}}, "x");
  EXPECT_THAT(Why(wanted), HasSubstr("it describes an object of"));
}

TEST_F(ModelFolderTest, ShapesComeFromTheConfig) {
  config::Model model = Recipe(config::Recipe::kGpt);
  model.from = folder_;
  Write("config.json", R"({"model_type": "gpt2", "n_layer": 3, "n_head": 2, "n_embd": 8})");
  auto resolved = ResolveModel(model, {});
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_EQ(resolved->transformer.layers, 3);
  EXPECT_EQ(resolved->transformer.vocabulary, 50257);
  EXPECT_EQ(resolved->transformer.feed_forward, 32);
  Write("config.json", R"({"model_type": "gpt2", "activation_function": "relu"})");
  EXPECT_THAT(std::string(ResolveModel(model, {}).status().message()),
              HasSubstr("config.json: activation_function: found \"relu\", expected \"gelu_new\""));
}

TEST_F(ModelFolderTest, ResNet_ItsHeadIsKeptOrNew) {
  const std::vector<TensorInfo> wanted = {{"resnet.embedder.weight", DType::kFloat32, {2}},
                                          {"classifier.1.bias", DType::kFloat32, {1}}};
  WriteTensors("model.safetensors",
               {{"resnet.embedder.weight", DType::kBFloat16, {2}},
                {"resnet.embedder.num_batches_tracked", DType::kUint8, {1}},
                {"classifier.1.bias", DType::kFloat16, {2}}},
               kBrains + "n" + kHalves);
  EXPECT_THAT(Why(wanted),
              HasSubstr("the tensor 'classifier.1.bias' is F16 [2], expected floats of "
                        "[1]; for other classes than spec.data.classes, "
                        "spec.model.head: new begins the last layer anew"));
  config::Model model = Recipe(config::Recipe::kResNet);
  EXPECT_EQ(WithoutNewHead(model, wanted), wanted);
  model.new_head = true;
  auto numbers = Read(WithoutNewHead(model, wanted));
  ASSERT_TRUE(numbers.ok()) << numbers.status();
  EXPECT_THAT(*numbers, ElementsAre(1, -2));
  // A model without a head at all, by its own names.
  WriteTensors("model.safetensors", {{"embedder.weight", DType::kBFloat16, {2}}}, kBrains);
  EXPECT_TRUE(Read(WithoutNewHead(model, wanted)).ok());
  EXPECT_THAT(Why(wanted), HasSubstr("has no tensor 'classifier.1.bias'; for other classes"));
}

TEST(HfConfig, ResNets_AreReadAgain) {
  for (const auto& [depth, width] : {std::pair{18, 64}, {18, 24}, {34, 64}, {50, 16}}) {
    config::Model model = Recipe(config::Recipe::kResNet);
    model.depth = depth;
    model.resnet_width = width;
    auto read = WithShapesOf(Recipe(config::Recipe::kResNet), HfResNetConfig(model, false, 3, 10));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->depth, depth);
    EXPECT_EQ(read->resnet_width, width);
    EXPECT_FALSE(read->small_stem);
  }
  auto own = WithShapesOf(Recipe(config::Recipe::kResNet),
                          R"({"model": {"recipe": "resnet", "depth": 34, "stem": "small"}})");
  ASSERT_TRUE(own.ok()) << own.status();
  EXPECT_EQ(own->depth, 34);
  EXPECT_EQ(own->resnet_width, 64);
  EXPECT_TRUE(own->small_stem);
  auto why = [](const char* json) {
    return std::string(WithShapesOf(Recipe(config::Recipe::kResNet), json).status().message());
  };
  EXPECT_THAT(
      why(R"({"model_type": "resnet", "depths": [3, 4, 23, 3]})"),
      HasSubstr("depths: found [3,4,23,3] layers (\"bottleneck\") of [256,512,1024,2048] "
                "channels, expected those of 18, 34 or 50 layers whose stem gives 64 channels"));
  own = WithShapesOf(Recipe(config::Recipe::kResNet),
                     R"({"model": {"recipe": "resnet", "depth": 18, "width": 32}})");
  ASSERT_TRUE(own.ok()) << own.status();
  EXPECT_EQ(own->resnet_width, 32);
  EXPECT_THAT(why(R"({"model_type": "resnet", "downsample_in_first_stage": true})"),
              HasSubstr("downsample_in_first_stage: found true, expected false"));
  EXPECT_THAT(why(R"({"model_type": "vit"})"), HasSubstr("found \"vit\", expected \"resnet\""));
}

TEST(HfConfig, WhatIsWritten_IsReadAgain) {
  for (auto recipe : {config::Recipe::kGpt, config::Recipe::kLlama}) {
    config::Model model = Recipe(recipe);
    model.transformer.heads = 4;
    model.transformer.width = 64;
    model.transformer.kv_heads = recipe == config::Recipe::kLlama ? 2 : 4;
    model.transformer.rope_theta = 12345;
    model.transformer.tied = recipe == config::Recipe::kGpt;
    model.transformer = config::ResolvedTransformer(model, 33, 500);
    auto read = WithShapesOf(Recipe(recipe), HfConfig(model, false, 499));
    ASSERT_TRUE(read.ok()) << read.status();
    const config::Transformer &a = read->transformer, &b = model.transformer;
    EXPECT_EQ(a.kv_heads == 0 ? a.heads : a.kv_heads, b.kv_heads);
    EXPECT_EQ(a.feed_forward, b.feed_forward);
    EXPECT_EQ(a.context, 33);
    EXPECT_EQ(a.vocabulary, 500);
    EXPECT_EQ(a.tied, b.tied);
    EXPECT_EQ(a.norm_epsilon, b.norm_epsilon);
    if (recipe == config::Recipe::kLlama) {
      EXPECT_EQ(a.rope_theta, 12345);
    }
  }
}

TEST(HfConfig, PartsThatTheRecipeLacks_AreRefused) {
  auto why = [](config::Recipe recipe, const char* json) {
    return std::string(WithShapesOf(Recipe(recipe), json).status().message());
  };
  EXPECT_THAT(why(config::Recipe::kGpt, R"({"model_type": "llama"})"),
              HasSubstr("found \"llama\", expected \"gpt2\""));
  EXPECT_THAT(
      why(config::Recipe::kLlama, R"({"model_type": "llama", "rope_scaling": {"factor": 8}})"),
      HasSubstr("rope_scaling: found {\"factor\":8}, expected null"));
  EXPECT_THAT(why(config::Recipe::kLlama,
                  R"({"model_type": "llama", "rope_parameters": {"rope_type": "llama3"}})"),
              HasSubstr("rope_type: found \"llama3\", expected \"default\""));
  EXPECT_THAT(why(config::Recipe::kLlama, R"({"model_type": "llama", "hidden_size": -1})"),
              HasSubstr("hidden_size: found -1, expected a number above 0"));
  EXPECT_THAT(why(config::Recipe::kGpt, "[]"), HasSubstr("no JSON object"));
}

}  // namespace
}  // namespace coxswain::trainer::pretrained
