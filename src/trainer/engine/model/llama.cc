#include <ATen/ATen.h>

#include "common/config/transformer.h"
#include "trainer/engine/model/attention.h"
#include "trainer/engine/model/embedding.h"
#include "trainer/engine/model/layers.h"
#include "trainer/engine/model/linear.h"
#include "trainer/engine/model/recipes.h"
#include "trainer/engine/model/recompute.h"

namespace coxswain::trainer::engine {
namespace {

constexpr double kStd = 0.02;  // initializer_range

struct Layer {
  at::Tensor before_attention, after_attention;  // weights of the norms
  Linear q, k, v, out, gate, up, down;
  std::vector<Linear*> all() { return {&q, &k, &v, &out, &gate, &up, &down}; }
};

class Llama : public Model {
 public:
  Llama(const config::Model& recipe, const data::SampleShape& sample, at::ScalarType dtype,
        base::Rng& rng)
      : shape_(config::ResolvedTransformer(recipe, sample.sequence, sample.vocabulary)),
        head_(shape_.width / shape_.heads),
        dtype_(dtype),
        recomputes_(recipe.activation_checkpointing),
        rotary_(head_, shape_.context, shape_.rope_theta, dtype),
        tokens_(AddParameter("model.embed_tokens.weight",
                             NormalValues({shape_.vocabulary, shape_.width}, kStd, dtype, rng))) {
    for (int64_t i = 0; i < shape_.layers; ++i) AddLayer(i, rng);
    last_norm_ = AddNorm("model.norm");
    if (!shape_.tied) {
      output_.push_back(AddLinear("lm_head", shape_.width, shape_.vocabulary, rng));
    }
  }

  void KeepGradientMemory() override {
    tokens_.KeepGradientMemory();
    for (Linear* each : Linears()) each->KeepGradientMemory();
  }
  void DropGradientMemory() override {
    tokens_.DropGradientMemory();
    for (Linear* each : Linears()) each->DropGradientMemory();
  }

  at::Tensor Forward(const Inputs& inputs, const ForwardPass&) override {
    const int64_t rows = inputs.ids.size(0), tokens = inputs.ids.size(1);
    at::Tensor x = tokens_.Forward(inputs.ids).view({rows * tokens, shape_.width});
    for (const Layer& layer : layers_) {
      const auto through = [this, &layer, rows](const at::Tensor& in) {
        return Through(layer, in, rows);
      };
      x = recomputes_ ? Recomputed(x, through) : through(x);
    }
    x = Normed(last_norm_, x);
    const at::Tensor logits = shape_.tied ? tokens_.Logits(x) : output_[0].Forward(x);
    return logits.view({rows, tokens, shape_.vocabulary});
  }

 private:
  at::Tensor AddNorm(const std::string& name) {
    return AddParameter(name + ".weight", at::ones({shape_.width}, dtype_));
  }

  Linear AddLinear(const std::string& name, int64_t inputs, int64_t outputs, base::Rng& rng) {
    return Linear(
        AddParameter(name + ".weight", NormalValues({outputs, inputs}, kStd, dtype_, rng)), {});
  }

  void AddLayer(int64_t index, base::Rng& rng) {
    const std::string name = "model.layers." + std::to_string(index);
    const int64_t width = shape_.width, inner = shape_.feed_forward;
    const int64_t of_keys = shape_.kv_heads * head_;
    Linear q = AddLinear(name + ".self_attn.q_proj", width, width, rng);
    Linear k = AddLinear(name + ".self_attn.k_proj", width, of_keys, rng);
    Linear v = AddLinear(name + ".self_attn.v_proj", width, of_keys, rng);
    Linear out = AddLinear(name + ".self_attn.o_proj", width, width, rng);
    Linear gate = AddLinear(name + ".mlp.gate_proj", width, inner, rng);
    Linear up = AddLinear(name + ".mlp.up_proj", width, inner, rng);
    Linear down = AddLinear(name + ".mlp.down_proj", inner, width, rng);
    at::Tensor before = AddNorm(name + ".input_layernorm");
    at::Tensor after = AddNorm(name + ".post_attention_layernorm");
    layers_.push_back({std::move(before), std::move(after), std::move(q), std::move(k),
                       std::move(v), std::move(out), std::move(gate), std::move(up),
                       std::move(down)});
  }

  std::vector<Linear*> Linears() {
    std::vector<Linear*> all;
    for (Layer& layer : layers_) {
      for (Linear* each : layer.all()) all.push_back(each);
    }
    for (Linear& each : output_) all.push_back(&each);
    return all;
  }

  at::Tensor Through(const Layer& layer, at::Tensor x, int64_t rows) const {
    x = x + layer.out.Forward(Attend(layer, Normed(layer.before_attention, x), rows));
    const at::Tensor y = Normed(layer.after_attention, x);
    return x + layer.down.Forward(at::silu(layer.gate.Forward(y)) * layer.up.Forward(y));
  }

  at::Tensor Normed(const at::Tensor& weight, const at::Tensor& x) const {
    return at::rms_norm(x, {shape_.width}, weight, shape_.norm_epsilon);
  }

  // (rows * tokens, heads * width of a head) as (rows, heads, tokens, width of a head).
  at::Tensor Heads(const at::Tensor& x, int64_t rows) const {
    return x.view({rows, x.size(0) / rows, x.size(1) / head_, head_}).transpose(1, 2);
  }

  at::Tensor Attend(const Layer& layer, const at::Tensor& x, int64_t rows) const {
    return CausalAttention(rotary_.Turn(Heads(layer.q.Forward(x), rows)),
                           rotary_.Turn(Heads(layer.k.Forward(x), rows)),
                           Heads(layer.v.Forward(x), rows));
  }

  const config::Transformer shape_;
  const int64_t head_;  // width of one
  const at::ScalarType dtype_;
  const bool recomputes_;  // a layer's activations in backward
  const Rotary rotary_;
  Embedding tokens_;
  std::vector<Layer> layers_;
  at::Tensor last_norm_;
  std::vector<Linear> output_;  // none if tied
};

}  // namespace

std::unique_ptr<Model> MakeLlama(const config::Model& recipe, const data::SampleShape& sample,
                                 at::ScalarType dtype, base::Rng& rng) {
  return std::make_unique<Llama>(recipe, sample, dtype, rng);
}

}  // namespace coxswain::trainer::engine
