#include "trainer/engine/pretrained/hf_config.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "common/config/resnet.h"
#include "common/config/transformer.h"

namespace coxswain::trainer::pretrained {
namespace {

using Json = nlohmann::ordered_json;

// Reads one file's keys and keeps the first thing that is wrong.
class Keys {
 public:
  explicit Keys(const Json& file) : file_(file) {}

  // Of an object below: rope_parameters.
  void Number(const char* key, double otherwise, double* out) {
    *out = otherwise;
    auto found = file_.find(key);
    if (found == file_.end() || found->is_null()) return;
    if (!found->is_number() || !(found->get<double>() > 0)) return Wrong(key, "a number above 0");
    *out = found->get<double>();
  }
  // `otherwise` 0: it has to be there.
  void Count(const char* key, int64_t otherwise, int64_t* out) {
    *out = otherwise;
    auto found = file_.find(key);
    if (found == file_.end() || found->is_null()) {
      if (otherwise == 0) Wrong(key, "a number");
      return;
    }
    const bool good = found->is_number_integer() && found->get<int64_t>() > 0 &&
                      found->get<int64_t>() < 100'000'000;
    if (!good) return Wrong(key, "a number above 0");
    *out = found->get<int64_t>();
  }
  // What the recipe has in one way only; not given: that way.
  void Only(const char* key, const Json& expected) {
    auto found = file_.find(key);
    if (found != file_.end() && !found->is_null() && *found != expected) {
      Wrong(key, expected.dump());
    }
  }
  const absl::Status& status() const { return status_; }

 private:
  void Wrong(const char* key, const std::string& expected) {
    auto found = file_.find(key);
    status_.Update(absl::InvalidArgumentError(std::string(key) + ": found " +
                                              (found == file_.end() ? "nothing" : found->dump()) +
                                              ", expected " + expected));
  }

  const Json& file_;
  absl::Status status_;
};

absl::Status ReadGpt(const Json& file, config::Transformer* out) {
  Keys keys(file);
  keys.Count("n_layer", 12, &out->layers);
  keys.Count("n_head", 12, &out->heads);
  keys.Count("n_embd", 768, &out->width);
  keys.Count("n_positions", 1024, &out->context);
  keys.Count("vocab_size", 50257, &out->vocabulary);
  keys.Count("n_inner", 4 * out->width, &out->feed_forward);
  keys.Number("layer_norm_epsilon", 1e-5, &out->norm_epsilon);
  keys.Only("activation_function", "gelu_new");
  keys.Only("tie_word_embeddings", true);
  keys.Only("scale_attn_weights", true);
  keys.Only("scale_attn_by_inverse_layer_idx", false);
  keys.Only("add_cross_attention", false);
  return keys.status();
}

absl::Status ReadLlama(const Json& file, config::Transformer* out) {
  Keys keys(file);
  keys.Count("num_hidden_layers", 32, &out->layers);
  keys.Count("num_attention_heads", 32, &out->heads);
  keys.Count("hidden_size", 4096, &out->width);
  keys.Count("num_key_value_heads", out->heads, &out->kv_heads);
  keys.Count("intermediate_size", 11008, &out->feed_forward);
  keys.Count("max_position_embeddings", 2048, &out->context);
  keys.Count("vocab_size", 32000, &out->vocabulary);
  keys.Number("rms_norm_eps", 1e-6, &out->norm_epsilon);
  keys.Only("hidden_act", "silu");
  keys.Only("attention_bias", false);
  keys.Only("mlp_bias", false);
  keys.Only("head_dim", out->width / std::max<int64_t>(1, out->heads));
  keys.Only("rope_scaling", nullptr);
  keys.Number("rope_theta", 10000, &out->rope_theta);
  out->tied = file.value("tie_word_embeddings", false);
  if (!keys.status().ok()) return keys.status();
  // transformers 5 has it here.
  auto rope = file.find("rope_parameters");
  if (rope == file.end() || !rope->is_object()) return absl::OkStatus();
  Keys below(*rope);
  below.Only("rope_type", "default");
  below.Number("rope_theta", out->rope_theta, &out->rope_theta);
  return below.status();
}

absl::Status ReadResNet(const Json& file, config::Model* out) {
  Keys keys(file);
  keys.Only("hidden_act", "relu");
  int64_t width = 0;
  keys.Count("embedding_size", 64, &width);
  keys.Only("downsample_in_first_stage", false);
  keys.Only("downsample_in_bottleneck", false);
  if (!keys.status().ok()) return keys.status();
  const auto given = [&](const char* key, const Json& otherwise) {
    auto found = file.find(key);
    return found == file.end() ? otherwise : *found;
  };
  const config::ResNetShape usual = config::ResNetOf(50, 64);
  const Json depths = given("depths", usual.depths),
             sizes = given("hidden_sizes", usual.hidden_sizes),
             type = given("layer_type", "bottleneck");
  for (int64_t depth : {18, 34, 50}) {
    const config::ResNetShape shape = config::ResNetOf(depth, width);
    if (depths != Json(shape.depths) || sizes != Json(shape.hidden_sizes)) continue;
    if (type != (shape.bottleneck ? "bottleneck" : "basic")) continue;
    out->depth = depth;
    out->resnet_width = width;
    out->small_stem = false;
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "depths: found " + depths.dump() + " layers (" + type.dump() + ") of " + sizes.dump() +
      " channels, expected those of 18, 34 or 50 layers whose stem gives " + std::to_string(width) +
      " channels (embedding_size)");
}

// What an earlier job of ours has written.
bool ReadOwnResNet(const Json& file, config::Model* out) {
  auto own = file.find("model");
  if (own == file.end() || !own->is_object()) return false;
  const auto is = [&](const char* key, const Json& value) {
    auto found = own->find(key);
    return found != own->end() && *found == value;
  };
  if (!is("recipe", "resnet")) return false;
  for (int64_t depth : {18, 34, 50}) {
    if (!is("depth", depth)) continue;
    out->depth = depth;
    out->small_stem = is("stem", "small");
    auto width = own->find("width");  // files of earlier builds do not have it
    if (width != own->end() && width->is_number_integer())
      out->resnet_width = width->get<int64_t>();
    return true;
  }
  return false;
}

Json GptConfig(const config::Model& model) {
  const config::Transformer& t = model.transformer;
  return {{"architectures", {"GPT2LMHeadModel"}},
          {"model_type", "gpt2"},
          {"n_layer", t.layers},
          {"n_head", t.heads},
          {"n_embd", t.width},
          {"n_positions", t.context},
          {"n_ctx", t.context},
          {"n_inner", t.feed_forward},
          {"vocab_size", t.vocabulary},
          {"activation_function", "gelu_new"},
          {"layer_norm_epsilon", t.norm_epsilon},
          {"initializer_range", 0.02},
          {"embd_pdrop", model.dropout},
          {"resid_pdrop", model.dropout},
          {"attn_pdrop", 0.0},
          {"tie_word_embeddings", true}};
}

Json LlamaConfig(const config::Model& model) {
  const config::Transformer& t = model.transformer;
  return {{"architectures", {"LlamaForCausalLM"}},
          {"model_type", "llama"},
          {"num_hidden_layers", t.layers},
          {"num_attention_heads", t.heads},
          {"num_key_value_heads", t.kv_heads},
          {"hidden_size", t.width},
          {"head_dim", t.width / t.heads},
          {"intermediate_size", t.feed_forward},
          {"max_position_embeddings", t.context},
          {"vocab_size", t.vocabulary},
          {"hidden_act", "silu"},
          {"rms_norm_eps", t.norm_epsilon},
          {"rope_theta", t.rope_theta},
          {"attention_bias", false},
          {"attention_dropout", 0.0},
          {"mlp_bias", false},
          {"initializer_range", 0.02},
          {"tie_word_embeddings", t.tied}};
}

}  // namespace

absl::StatusOr<config::Model> WithShapesOf(const config::Model& model, const std::string& json) {
  const Json file = Json::parse(json, nullptr, false);
  if (!file.is_object()) return absl::InvalidArgumentError("no JSON object");
  const bool llama = model.recipe == config::Recipe::kLlama;
  auto type = file.find("model_type");
  const std::string found = type != file.end() && type->is_string() ? type->get<std::string>() : "";
  config::Model out = model;
  const bool resnet = model.recipe == config::Recipe::kResNet;
  if (resnet && ReadOwnResNet(file, &out)) return out;
  const std::string expected = llama ? "llama" : resnet ? "resnet" : "gpt2";
  if (found != expected) {
    return absl::InvalidArgumentError("model_type: found \"" + found + "\", expected \"" +
                                      expected + "\", as spec.model.recipe says");
  }
  absl::Status read = resnet  ? ReadResNet(file, &out)
                      : llama ? ReadLlama(file, &out.transformer)
                              : ReadGpt(file, &out.transformer);
  if (!read.ok()) return read;
  if (resnet) return out;
  std::string wrong = config::WrongTransformer(out, {});
  if (!wrong.empty()) return absl::InvalidArgumentError(wrong);
  return out;
}

std::string HfConfig(const config::Model& model, bool float64, int64_t end_of_text) {
  Json out = model.recipe == config::Recipe::kLlama ? LlamaConfig(model) : GptConfig(model);
  out["use_cache"] = true;
  out["dtype"] = out["torch_dtype"] = float64 ? "float64" : "float32";
  out["bos_token_id"] = out["eos_token_id"] = nullptr;
  if (end_of_text >= 0) out["bos_token_id"] = out["eos_token_id"] = end_of_text;
  return out.dump();
}

std::string HfResNetConfig(const config::Model& model, bool float64, int64_t image_channels,
                           int64_t classes) {
  const config::ResNetShape shape = config::ResNetOf(model.depth, model.resnet_width);
  Json labels = Json::object(), ids = Json::object();
  for (int64_t i = 0; i < classes; ++i) {
    const std::string label = "LABEL_" + std::to_string(i);
    labels[std::to_string(i)] = label;
    ids[label] = i;
  }
  const Json out = {{"architectures", {"ResNetForImageClassification"}},
                    {"model_type", "resnet"},
                    {"num_channels", image_channels},
                    {"embedding_size", shape.embedding_size},
                    {"hidden_sizes", shape.hidden_sizes},
                    {"depths", shape.depths},
                    {"layer_type", shape.bottleneck ? "bottleneck" : "basic"},
                    {"hidden_act", "relu"},
                    {"downsample_in_first_stage", false},
                    {"downsample_in_bottleneck", false},
                    {"id2label", labels},
                    {"label2id", ids},
                    {"dtype", float64 ? "float64" : "float32"},
                    {"torch_dtype", float64 ? "float64" : "float32"}};
  return out.dump();
}

}  // namespace coxswain::trainer::pretrained
