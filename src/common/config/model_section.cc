#include "common/config/model_section.h"

#include <initializer_list>
#include <string>

#include "common/config/data_section.h"
#include "common/config/transformer.h"

namespace coxswain::config {
namespace {

const char* NameOf(Recipe recipe) {
  switch (recipe) {
    case Recipe::kMlp:
      return "mlp";
    case Recipe::kCnn:
      return "cnn";
    case Recipe::kResNet:
      return "resnet";
    case Recipe::kGpt:
      return "gpt";
    case Recipe::kLlama:
      return "llama";
    case Recipe::kTorchScript:
    case Recipe::kPlugin:
      break;
  }
  return "";
}

std::string ButThisIs(Recipe recipe) {
  if (recipe == Recipe::kTorchScript) return ", but the model is a file (spec.model.module)";
  if (recipe == Recipe::kPlugin) return ", but the model is a plugin's (spec.model.plugin)";
  return std::string(", but spec.model.recipe is ") + NameOf(recipe);
}

void RefuseKeys(Section& in, std::initializer_list<const char*> keys, bool belong,
                const std::string& to, Recipe recipe) {
  if (belong) return;
  for (const char* key : keys) {
    if (in.Has(key)) {
      in.WrongBy("spec.model.recipe", key, "belongs to recipe " + to + ButThisIs(recipe));
    }
  }
}

// A kind of data is for some of the recipes.
void CheckRecipe(Section& in, const Data& data, Recipe recipe) {
  if (in.IsWrong("spec.model.recipe") || in.IsWrong("spec.data.format")) return;
  const bool text = recipe == Recipe::kGpt || recipe == Recipe::kLlama;
  const std::string found =
      std::string("found ") + NameOf(recipe) + ", but the data (spec.data.format: " + data.format;
  if (data.IsTable() && recipe != Recipe::kMlp) {
    in.Wrong("recipe", found + ") is a table, which is for the mlp");
  }
  if (data.IsText() && !text) in.Wrong("recipe", found + ") is text, which is for gpt and llama");
  if (data.IsIdx() && text)
    in.Wrong("recipe", found + ") is images, which are for cnn, resnet and mlp");
}

void RefuseBesideFrom(Section& in, std::initializer_list<const char*> shapes) {
  for (const char* key : shapes) {
    if (in.Has("from") && in.Has(key)) {
      in.Wrong(key, "cannot stand beside 'from', whose config.json says it");
    }
  }
}

// A model to begin with.
void ReadFrom(Section& in, Model* out) {
  const bool resnet = out->recipe == Recipe::kResNet;
  ReadUri(in, "from", true, &out->from);
  in.Choice<bool>("head", {{"keep", false}, {"new", true}}, &out->new_head);
  RefuseKeys(in, {"from"}, out->IsTransformer() || resnet, "gpt, llama or resnet", out->recipe);
  RefuseKeys(in, {"head"}, resnet, "resnet", out->recipe);
  if (resnet && in.Has("head") && !in.Has("from")) in.Wrong("head", "needs spec.model.from");
  if (resnet) RefuseBesideFrom(in, {"depth", "stem", "width"});
}

void ReadTransformer(Section& in, const Data& data, Model* out) {
  constexpr int64_t kWidest = 1 << 20;
  Transformer& t = out->transformer;
  in.Integer("layers", int64_t{1}, int64_t{10'000}, &t.layers);
  in.Integer("heads", int64_t{1}, int64_t{65536}, &t.heads);
  in.Integer("kv_heads", int64_t{1}, int64_t{65536}, &t.kv_heads);
  const bool resnet = out->recipe == Recipe::kResNet;
  in.Integer("width", int64_t{1}, resnet ? 4096 : kWidest, resnet ? &out->resnet_width : &t.width);
  in.Integer("context", int64_t{1}, kWidest, &t.context);
  in.Integer("vocabulary", int64_t{2}, int64_t{16'777'216}, &t.vocabulary);
  in.Integer("feed_forward", int64_t{1}, 8 * kWidest, &t.feed_forward);
  in.Real("rope_theta", {.low = 0, .high = 1e12, .above = true}, &t.rope_theta);
  in.Real("norm_epsilon", {.low = 0, .high = 1, .above = true}, &t.norm_epsilon);
  in.Bool("tied", &t.tied);
  in.Bool("activation_checkpointing", &out->activation_checkpointing);
  const auto shapes = {"layers",     "heads",      "kv_heads",     "width", "context",
                       "vocabulary", "rope_theta", "norm_epsilon", "tied",  "feed_forward"};
  RefuseKeys(in,
             {"layers", "heads", "context", "vocabulary", "feed_forward", "norm_epsilon",
              "activation_checkpointing"},
             out->IsTransformer(), "gpt or llama", out->recipe);
  RefuseKeys(in, {"width"}, out->IsTransformer() || resnet, "gpt, llama or resnet", out->recipe);
  RefuseKeys(in, {"kv_heads", "rope_theta", "tied"}, out->recipe == Recipe::kLlama, "llama",
             out->recipe);
  if (!out->IsTransformer()) return;
  RefuseBesideFrom(in, shapes);
  if (in.Has("from")) return;
  const TextShape text{data.text.sequence_length, data.text.vocabulary};
  const std::string wrong = WrongTransformer(*out, text), path = in.path() + ".";
  const std::string key = wrong.substr(0, wrong.find(':'));
  if (key.starts_with(path)) {
    in.Wrong(key.substr(path.size()), wrong.substr(key.size() + 2));
  } else if (!wrong.empty()) {
    in.Wrong("context", "found " + std::to_string(out->transformer.context) +
                            ", expected at least " + std::to_string(text.sequence) +
                            ", the length of a sample (spec.data.sequence_length)");
  }
}

void ReadResNet(Section& in, Model* out) {
  enum class Stem { kImageNet, kSmall };
  Stem stem = Stem::kImageNet;
  in.Choice<Stem>("stem", {{"imagenet", Stem::kImageNet}, {"small", Stem::kSmall}}, &stem);
  out->small_stem = stem == Stem::kSmall;
  if (in.Integer("depth", int64_t{1}, int64_t{1000}, &out->depth) && out->depth != 18 &&
      out->depth != 34 && out->depth != 50) {
    in.Wrong("depth", "found " + std::to_string(out->depth) + ", expected 18, 34 or 50");
  }
  RefuseKeys(in, {"depth", "stem"}, out->recipe == Recipe::kResNet, "resnet", out->recipe);
}

// A model that the user brings along, instead of a recipe.
void ReadOwn(Section& in, Model* out) {
  ReadUri(in, "module", true, &out->module);
  ReadUri(in, "plugin", true, &out->plugin);
  in.TextMap(
      "options", 1000,
      [](const std::string& name, const std::string&) {
        return name.empty() ? "found an option without a name" : "";
      },
      &out->options);
  if (in.Has("module") && in.Has("plugin")) in.Wrong("plugin", "cannot stand beside 'module'");
  if (in.Has("options") && !in.Has("plugin")) in.Wrong("options", "needs spec.model.plugin");
  for (const char* key : {"module", "plugin"}) {
    if (!in.Has(key)) continue;
    out->recipe = key[0] == 'm' ? Recipe::kTorchScript : Recipe::kPlugin;
    if (in.Has("recipe")) {
      in.Wrong("recipe",
               std::string("cannot stand beside '") + key + "', which gives the whole model");
    }
  }
}

}  // namespace

void ReadModel(Section& in, const Data& data, Model* out) {
  if (data.IsTable()) out->recipe = Recipe::kMlp;
  if (data.IsText()) out->recipe = Recipe::kGpt;
  in.Choice<Recipe>("recipe",
                    {{"mlp", Recipe::kMlp},
                     {"cnn", Recipe::kCnn},
                     {"resnet", Recipe::kResNet},
                     {"gpt", Recipe::kGpt},
                     {"llama", Recipe::kLlama}},
                    &out->recipe);
  ReadOwn(in, out);
  if (!out->IsOwn()) CheckRecipe(in, data, out->recipe);
  in.IntegerList("hidden", 1, 1'000'000, 64, &out->hidden);
  in.IntegerList("channels", 1, 65536, 16, &out->channels);
  const auto blocks = static_cast<int64_t>(out->channels.size());
  if (in.Integer("pool_every", int64_t{1}, int64_t{16}, &out->pool_every) &&
      out->pool_every > blocks) {
    in.Wrong("pool_every", "found " + std::to_string(out->pool_every) + ", expected at most " +
                               std::to_string(blocks) +
                               ", the number of blocks (spec.model.channels)");
  }
  in.Bool("batch_norm", &out->batch_norm);
  in.Real("dropout", {.low = 0, .high = 1, .below = true}, &out->dropout);
  in.Integer("embedding_dim", int64_t{0}, int64_t{65536}, &out->embedding_dim);
  if (!data.IsTable() && !out->IsOwn() && in.Has("embedding_dim")) {
    in.Wrong("embedding_dim",
             "belongs to columns of categories (spec.data.format: parquet or csv)");
  }
  RefuseKeys(in, {"embedding_dim"}, !out->IsOwn(), "mlp", out->recipe);
  ReadResNet(in, out);
  RefuseKeys(in, {"channels", "pool_every", "batch_norm"}, out->recipe == Recipe::kCnn, "cnn",
             out->recipe);
  const bool layers = out->recipe == Recipe::kCnn || out->recipe == Recipe::kMlp;
  RefuseKeys(in, {"hidden"}, layers, "cnn or mlp", out->recipe);
  RefuseKeys(in, {"dropout"}, out->recipe != Recipe::kLlama && !out->IsOwn(),
             "cnn, mlp, resnet or gpt", out->recipe);
  ReadTransformer(in, data, out);
  ReadFrom(in, out);
}

}  // namespace coxswain::config
