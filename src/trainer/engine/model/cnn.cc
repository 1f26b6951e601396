#include <ATen/ATen.h>

#include <optional>

#include "trainer/engine/model/head.h"
#include "trainer/engine/model/recipes.h"

namespace coxswain::trainer::engine {
namespace {

constexpr double kEpsilon = 1e-5;  // PyTorch's BatchNorm2d
constexpr double kMomentum = 0.1;

struct Block {
  at::Tensor weight, bias;  // of the convolution; no bias with norm
  at::Tensor norm_weight, norm_bias, running_mean, running_variance;
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
    double* statistics = pass.statistics;
    for (const Block& block : blocks_) {
      x = at::conv2d(x, block.weight, block.bias, /*stride=*/1, /*padding=*/1);
      if (batch_norm_) x = Norm(block, x, pass.training, statistics);
      x = at::relu(x);
      if (block.pool) x = at::max_pool2d(x, 2);
    }
    return head_->Forward(x.flatten(1), pass);
  }

  void UpdateStatistics(const double* sums, double rows) override {
    for (Block& block : blocks_) {
      if (!batch_norm_) return;
      for (at::Tensor* running : {&block.running_mean, &block.running_variance}) {
        int64_t channels = running->numel();
        at::Tensor batch = at::from_blob(const_cast<double*>(sums), {channels}, at::kDouble) / rows;
        running->lerp_(batch.to(running->scalar_type()), kMomentum);
        sums += channels;
      }
    }
  }

 private:
  void AddBlock(int64_t inputs, int64_t outputs, at::ScalarType dtype, base::Rng& rng) {
    std::string name = "blocks." + std::to_string(blocks_.size());
    int64_t fan_in = inputs * 9;
    Block block;
    block.weight = AddParameter(name + ".conv.weight",
                                UniformByFanIn({outputs, inputs, 3, 3}, fan_in, dtype, rng));
    if (batch_norm_) {
      block.norm_weight = AddParameter(name + ".norm.weight", at::ones({outputs}, dtype));
      block.norm_bias = AddParameter(name + ".norm.bias", at::zeros({outputs}, dtype));
      block.running_mean = AddBuffer(name + ".norm.running_mean", at::zeros({outputs}, dtype));
      block.running_variance = AddBuffer(name + ".norm.running_var", at::ones({outputs}, dtype));
      statistics_size_ += 2 * static_cast<size_t>(outputs);
    } else {
      block.bias = AddParameter(name + ".conv.bias", UniformByFanIn({outputs}, fan_in, dtype, rng));
    }
    blocks_.push_back(std::move(block));
  }

  at::Tensor Norm(const Block& block, const at::Tensor& x, bool training, double*& statistics) {
    if (!training) {
      return std::get<0>(at::native_batch_norm(x, block.norm_weight, block.norm_bias,
                                               block.running_mean, block.running_variance, false,
                                               kMomentum, kEpsilon));
    }
    auto [out, mean, inverse] = at::native_batch_norm(x, block.norm_weight, block.norm_bias, {}, {},
                                                      true, kMomentum, kEpsilon);
    if (statistics != nullptr) AddStatistics(x, mean, inverse, statistics);
    return out;
  }

  // Running statistics move once a step by the mean over its micro-batches, weighted by rows, so
  // that they do not depend on which rank had which. The variance is the unbiased one, as in
  // PyTorch.
  static void AddStatistics(const at::Tensor& x, const at::Tensor& mean, const at::Tensor& inverse,
                            double*& statistics) {
    auto rows = static_cast<double>(x.size(0));
    double count = rows * static_cast<double>(x.size(2) * x.size(3));
    double unbias = count > 1 ? count / (count - 1) : 1;
    at::Tensor means = mean.detach().to(at::kDouble), inverses = inverse.detach().to(at::kDouble);
    int64_t channels = means.numel();
    const double* m = means.const_data_ptr<double>();
    const double* s = inverses.const_data_ptr<double>();
    for (int64_t i = 0; i < channels; ++i) statistics[i] += rows * m[i];
    statistics += channels;
    for (int64_t i = 0; i < channels; ++i) {
      statistics[i] += rows * (1 / (s[i] * s[i]) - kEpsilon) * unbias;
    }
    statistics += channels;
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
