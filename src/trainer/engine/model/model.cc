#include "trainer/engine/model/model.h"

#include <ATen/ATen.h>

#include "common/config/transformer.h"
#include "trainer/engine/model/own_model.h"
#include "trainer/engine/model/recipes.h"

namespace coxswain::trainer::engine {

void Model::Backward(const at::Tensor& loss, const std::function<bool()>&) { loss.backward(); }

at::Tensor Model::AddParameter(std::string name, at::Tensor value) {
  value.set_requires_grad(true);
  parameters_.push_back({std::move(name), value});
  return value;
}

at::Tensor Model::AddBuffer(std::string name, at::Tensor value) {
  buffers_.push_back({std::move(name), value});
  return value;
}

const BatchNorm* Model::AddBatchNorm(const std::string& name, int64_t channels,
                                     at::ScalarType dtype) {
  BatchNorm::Tensors tensors;
  tensors.weight = AddParameter(name + ".weight", at::ones({channels}, dtype));
  tensors.bias = AddParameter(name + ".bias", at::zeros({channels}, dtype));
  tensors.running_mean = AddBuffer(name + ".running_mean", at::zeros({channels}, dtype));
  tensors.running_variance = AddBuffer(name + ".running_var", at::ones({channels}, dtype));
  norms_.emplace_back(std::move(tensors), statistics_size_);
  statistics_size_ += norms_.back().statistics_size();
  return &norms_.back();
}

std::unique_ptr<Model> MakeModel(const config::Model& recipe, const data::SampleShape& sample,
                                 at::ScalarType dtype, uint64_t seed, const std::string& file) {
  base::Rng rng(base::Mix64(seed ^ 0x30de1));
  switch (recipe.recipe) {
    case config::Recipe::kMlp:
      return MakeMlp(recipe, sample, dtype, rng);
    case config::Recipe::kCnn:
      return MakeCnn(recipe, sample, dtype, rng);
    case config::Recipe::kResNet:
      return MakeResNet(recipe, sample, dtype, rng);
    case config::Recipe::kGpt:
      return MakeGpt(recipe, sample, dtype, rng);
    case config::Recipe::kLlama:
      return MakeLlama(recipe, sample, dtype, rng);
    case config::Recipe::kTorchScript:
      return MakeTorchScript(recipe, sample, dtype, file);
    case config::Recipe::kPlugin:
      return MakePluginModel(recipe, sample, dtype, seed, file);
  }
  return nullptr;
}

std::string CheckModel(const config::Model& recipe, const data::SampleShape& sample) {
  if (recipe.IsOwn()) return "";
  if (recipe.IsTransformer()) {
    if (sample.sequence == 0) return "spec.model.recipe: gpt and llama are for text";
    return config::WrongTransformer(recipe, {sample.sequence, sample.vocabulary});
  }
  if (sample.sequence > 0) return "spec.model.recipe: text is for gpt and llama";
  if (recipe.recipe != config::Recipe::kCnn) return "";
  if (sample.dense.size() != 3) {
    return "spec.model.recipe: found cnn, which is for images; expected mlp for these samples";
  }
  int64_t height = sample.dense[1], width = sample.dense[2];
  for (size_t block = 1; block <= recipe.channels.size(); ++block) {
    if (static_cast<int64_t>(block) % recipe.pool_every != 0) continue;
    height /= 2;
    width /= 2;
    if (height == 0 || width == 0) {
      return "spec.model.channels: block " + std::to_string(block) + " would pool images of " +
             std::to_string(sample.dense[1]) + " x " + std::to_string(sample.dense[2]) +
             " pixels away; use fewer blocks or a larger spec.model.pool_every";
    }
  }
  return "";
}

}  // namespace coxswain::trainer::engine
