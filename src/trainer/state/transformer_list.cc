#include "trainer/state/transformer_list.h"

#include <string>

namespace coxswain::trainer::state {
namespace {

using blob::TensorInfo;

std::vector<TensorInfo> Gpt(const config::Transformer& t, blob::DType dtype) {
  std::vector<TensorInfo> out;
  auto add = [&](std::string name, std::vector<int64_t> shape) {
    out.push_back({std::move(name), dtype, std::move(shape)});
  };
  auto both = [&](const std::string& name, std::vector<int64_t> weight) {
    const int64_t outputs = weight.back();
    add(name + ".weight", std::move(weight));
    add(name + ".bias", {outputs});
  };
  add("transformer.wte.weight", {t.vocabulary, t.width});
  add("transformer.wpe.weight", {t.context, t.width});
  for (int64_t i = 0; i < t.layers; ++i) {
    const std::string name = "transformer.h." + std::to_string(i);
    both(name + ".ln_1", {t.width});
    both(name + ".attn.c_attn", {t.width, 3 * t.width});
    both(name + ".attn.c_proj", {t.width, t.width});
    both(name + ".ln_2", {t.width});
    both(name + ".mlp.c_fc", {t.width, t.feed_forward});
    both(name + ".mlp.c_proj", {t.feed_forward, t.width});
  }
  both("transformer.ln_f", {t.width});
  return out;
}

std::vector<TensorInfo> Llama(const config::Transformer& t, blob::DType dtype) {
  std::vector<TensorInfo> out;
  auto add = [&](std::string name, std::vector<int64_t> shape) {
    out.push_back({std::move(name) + ".weight", dtype, std::move(shape)});
  };
  const int64_t of_keys = t.kv_heads * (t.width / t.heads);
  add("model.embed_tokens", {t.vocabulary, t.width});
  for (int64_t i = 0; i < t.layers; ++i) {
    const std::string name = "model.layers." + std::to_string(i);
    add(name + ".self_attn.q_proj", {t.width, t.width});
    add(name + ".self_attn.k_proj", {of_keys, t.width});
    add(name + ".self_attn.v_proj", {of_keys, t.width});
    add(name + ".self_attn.o_proj", {t.width, t.width});
    add(name + ".mlp.gate_proj", {t.feed_forward, t.width});
    add(name + ".mlp.up_proj", {t.feed_forward, t.width});
    add(name + ".mlp.down_proj", {t.width, t.feed_forward});
    add(name + ".input_layernorm", {t.width});
    add(name + ".post_attention_layernorm", {t.width});
  }
  add("model.norm", {t.width});
  if (!t.tied) add("lm_head", {t.vocabulary, t.width});
  return out;
}

}  // namespace

std::vector<TensorInfo> TransformerParameters(config::Recipe recipe,
                                              const config::Transformer& shape, blob::DType dtype) {
  return recipe == config::Recipe::kLlama ? Llama(shape, dtype) : Gpt(shape, dtype);
}

}  // namespace coxswain::trainer::state
