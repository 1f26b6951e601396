#include <ATen/ATen.h>

#include <optional>

#include "trainer/engine/model/head.h"
#include "trainer/engine/model/recipes.h"

namespace coxswain::trainer::engine {
namespace {

struct Block {
  at::Tensor weight, bias;  // of the convolution; no bias with norm
  const BatchNorm* norm = nullptr;
  bool pool = false;
};

class Cnn : public Model {
 public:
  Cnn(const config::Model& recipe, const data::SampleShape& sample, at::ScalarType dtype,
      base::Rng& rng)
      : batch_norm_(recipe.batch_norm) {
    int64_t channels = sample.dense[0], height = sample.dense[1], width = sample.dense[2];
    for (int64_t outputs : recipe.channels) {
      AddBlock(channels, outputs, dtype, rng);
      channels = outputs;
      blocks_.back().pool = static_cast<int64_t>(blocks_.size()) % recipe.pool_every == 0;
      if (blocks_.back().pool) {
        height /= 2;
        width /= 2;
      }
    }
    head_.emplace("head.", channels * height * width, recipe.hidden, sample.classes, recipe.dropout,
                  dtype, rng, [this](std::string name, at::Tensor value) {
                    return AddParameter(std::move(name), std::move(value));
                  });
  }

  void KeepGradientMemory() override { head_->KeepGradientMemory(); }
  void DropGradientMemory() override { head_->DropGradientMemory(); }

  at::Tensor Forward(const Inputs& inputs, const ForwardPass& pass) override {
    at::Tensor x = inputs.dense;
    for (const Block& block : blocks_) {
      x = at::conv2d(x, block.weight, block.bias, /*stride=*/1, /*padding=*/1);
      if (block.norm != nullptr) x = block.norm->Forward(x, pass);
      x = at::relu(x);
      if (block.pool) x = at::max_pool2d(x, 2);
    }
    return head_->Forward(x.flatten(1), pass);
  }

 private:
  void AddBlock(int64_t inputs, int64_t outputs, at::ScalarType dtype, base::Rng& rng) {
    std::string name = "blocks." + std::to_string(blocks_.size());
    int64_t fan_in = inputs * 9;
    Block block;
    block.weight = AddParameter(name + ".conv.weight",
                                UniformByFanIn({outputs, inputs, 3, 3}, fan_in, dtype, rng));
    if (batch_norm_) {
      block.norm = AddBatchNorm(name + ".norm", outputs, dtype);
    } else {
      block.bias = AddParameter(name + ".conv.bias", UniformByFanIn({outputs}, fan_in, dtype, rng));
    }
    blocks_.push_back(std::move(block));
  }

  const bool batch_norm_;
  std::vector<Block> blocks_;
  std::optional<Head> head_;
};

}  // namespace

std::unique_ptr<Model> MakeCnn(const config::Model& recipe, const data::SampleShape& sample,
                               at::ScalarType dtype, base::Rng& rng) {
  return std::make_unique<Cnn>(recipe, sample, dtype, rng);
}

}  // namespace coxswain::trainer::engine
