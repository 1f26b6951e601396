#include "trainer/engine/training/model_config.h"

#include <nlohmann/json.hpp>

#include "common/config/transformer.h"
#include "trainer/engine/pretrained/hf_config.h"

namespace coxswain::trainer::engine {
namespace {

using Json = nlohmann::ordered_json;

// As `transformers` reads it; what is our own stands under a key of its own.
std::string DescribeTransformer(const config::JobSpec& spec, const data::Dataset& set) {
  const data::Dataset::Description described = set.Describe();
  const Json output = Json::parse(described.output);
  config::Model model = spec.model;
  model.transformer =
      config::ResolvedTransformer(model, set.shape().sequence, set.shape().vocabulary);
  Json out = Json::parse(pretrained::HfConfig(
      model, spec.train.precision == config::Precision::kFloat64, output["end_of_text"]));
  out["coxswain"] = {{"format", "coxswain/model/v1"},
                     {"name", spec.metadata.name},
                     {"recipe", model.recipe == config::Recipe::kLlama ? "llama" : "gpt"},
                     {"input", Json::parse(described.input)},
                     {"output", output}};
  return out.dump(2) + "\n";
}

Json DescribeRecipe(const config::Model& model) {
  Json recipe;
  if (model.recipe == config::Recipe::kTorchScript) {
    return {{"recipe", "torchscript"}, {"file", "model.pt"}, {"from", model.module}};
  }
  if (model.recipe == config::Recipe::kPlugin) {
    return {{"recipe", "plugin"}, {"plugin", model.plugin}, {"options", model.options}};
  }
  if (model.recipe == config::Recipe::kResNet) {
    recipe["recipe"] = "resnet";
    recipe["depth"] = model.depth;
    recipe["width"] = model.resnet_width;
    recipe["stem"] = model.small_stem ? "small" : "imagenet";
    recipe["batch_norm_eps"] = 1e-5;
    return recipe;
  }
  const bool cnn = model.recipe == config::Recipe::kCnn;
  recipe["recipe"] = cnn ? "cnn" : "mlp";
  if (cnn) {
    recipe["channels"] = model.channels;
    recipe["kernel"] = 3;
    recipe["pool_every"] = model.pool_every;
    recipe["batch_norm"] = model.batch_norm;
    if (model.batch_norm) recipe["batch_norm_eps"] = 1e-5;
  }
  recipe["hidden"] = model.hidden;
  return recipe;
}

}  // namespace

std::string DescribeModel(const config::JobSpec& spec, const data::Dataset& set,
                          const std::vector<blob::TensorInfo>& tensors, size_t count) {
  if (spec.model.IsTransformer()) return DescribeTransformer(spec, set);
  const config::Model& model = spec.model;
  const bool resnet = model.recipe == config::Recipe::kResNet;
  const bool float64 = spec.train.precision == config::Precision::kFloat64;
  Json whole;
  // `transformers` has no other stem.
  const bool theirs = resnet && !model.small_stem;
  if (theirs) {
    whole = Json::parse(
        pretrained::HfResNetConfig(model, float64, set.shape().dense[0], spec.data.classes));
  }
  Json& out = theirs ? whole["coxswain"] : whole;
  out["format"] = "coxswain/model/v1";
  out["name"] = spec.metadata.name;
  Json& recipe = out["model"] = DescribeRecipe(model);
  if (!model.IsOwn()) {
    recipe["activation"] = "relu";
    recipe["dropout"] = model.dropout;
  }
  recipe["dtype"] = float64 ? "float64" : "float32";
  const data::Dataset::Description described = set.Describe();
  if (!described.input.empty()) {
    out["input"] = Json::parse(described.input);
    out["output"] = Json::parse(described.output);
  } else {
    out["input"] = {{"layout", "NCHW"},
                    {"shape", set.shape().dense},
                    {"preprocessing",
                     {{"scale", 1.0 / 255}, {"mean", spec.data.mean}, {"std", spec.data.std}}}};
    out["output"] = {{"kind", "logits"}, {"classes", spec.data.classes}};
  }
  Json& list = out["tensors"] = Json::object();
  for (size_t i = 0; i < count; ++i) list[tensors[i].name] = tensors[i].shape;
  return whole.dump(2) + "\n";
}

}  // namespace coxswain::trainer::engine
