#include <ATen/ATen.h>

#include <cmath>

#include "common/config/transformer.h"
#include "trainer/engine/model/attention.h"
#include "trainer/engine/model/embedding.h"
#include "trainer/engine/model/layers.h"
#include "trainer/engine/model/linear.h"
#include "trainer/engine/model/recipes.h"
#include "trainer/engine/model/recompute.h"

namespace coxswain::trainer::engine {
namespace {

constexpr double kStd = 0.02;           // initializer_range
constexpr uint64_t kSitesOfALayer = 2;  // where it drops out

struct Norm {
  at::Tensor weight, bias;
};

struct Layer {
  Norm first, second;
  Linear qkv, out, up, down;
};

class Gpt : public Model {
 public:
  Gpt(const config::Model& recipe, const data::SampleShape& sample, at::ScalarType dtype,
      base::Rng& rng)
      : shape_(config::ResolvedTransformer(recipe, sample.sequence, sample.vocabulary)),
        dropout_(recipe.dropout),
        recomputes_(recipe.activation_checkpointing),
        dtype_(dtype),
        tokens_(AddParameter("transformer.wte.weight",
                             NormalValues({shape_.vocabulary, shape_.width}, kStd, dtype, rng))),
        positions_(AddParameter("transformer.wpe.weight",
                                NormalValues({shape_.context, shape_.width}, kStd, dtype, rng))) {
    for (int64_t i = 0; i < shape_.layers; ++i) AddLayer(i, rng);
    last_ = AddNorm("transformer.ln_f");
  }

  void KeepGradientMemory() override {
    tokens_.KeepGradientMemory();
    for (Layer& layer : layers_) {
      for (Linear* each : {&layer.qkv, &layer.out, &layer.up, &layer.down}) {
        each->KeepGradientMemory();
      }
    }
  }
  void DropGradientMemory() override {
    tokens_.DropGradientMemory();
    for (Layer& layer : layers_) {
      for (Linear* each : {&layer.qkv, &layer.out, &layer.up, &layer.down}) {
        each->DropGradientMemory();
      }
    }
  }

  at::Tensor Forward(const Inputs& inputs, const ForwardPass& pass) override {
    const int64_t rows = inputs.ids.size(0), tokens = inputs.ids.size(1);
    uint64_t site = 0;
    const auto drop = [&](const at::Tensor& x) { return Dropped(x, rows, pass, &site); };
    at::Tensor x = tokens_.Forward(inputs.ids) + positions_.narrow(0, 0, tokens);
    x = drop(x.view({rows * tokens, shape_.width}));
    for (const Layer& layer : layers_) {
      const auto through = [this, &layer, rows, pass, site](const at::Tensor& in) {
        return Through(layer, in, rows, pass, site);
      };
      x = recomputes_ ? Recomputed(x, through) : through(x);
      site += kSitesOfALayer;
    }
    return tokens_.Logits(Normed(last_, x)).view({rows, tokens, shape_.vocabulary});
  }

 private:
  Norm AddNorm(const std::string& name) {
    return {AddParameter(name + ".weight", at::ones({shape_.width}, dtype_)),
            AddParameter(name + ".bias", at::zeros({shape_.width}, dtype_))};
  }

  Linear AddLinear(const std::string& name, int64_t inputs, int64_t outputs, double std,
                   base::Rng& rng) {
    at::Tensor weight =
        AddParameter(name + ".weight", NormalValues({inputs, outputs}, std, dtype_, rng));
    at::Tensor bias = AddParameter(name + ".bias", at::zeros({outputs}, dtype_));
    return Linear(std::move(weight), std::move(bias), Linear::Layout::kInputsFirst);
  }

  void AddLayer(int64_t index, base::Rng& rng) {
    const std::string name = "transformer.h." + std::to_string(index);
    const int64_t width = shape_.width, inner = shape_.feed_forward;
    // What is added to the residual stream, twice a layer, is scaled down (GPT-2, section 2.3).
    const double small = kStd / std::sqrt(2.0 * static_cast<double>(shape_.layers));
    Norm first = AddNorm(name + ".ln_1");
    Linear qkv = AddLinear(name + ".attn.c_attn", width, 3 * width, kStd, rng);
    Linear out = AddLinear(name + ".attn.c_proj", width, width, small, rng);
    Norm second = AddNorm(name + ".ln_2");
    Linear up = AddLinear(name + ".mlp.c_fc", width, inner, kStd, rng);
    Linear down = AddLinear(name + ".mlp.c_proj", inner, width, small, rng);
    layers_.push_back({std::move(first), std::move(second), std::move(qkv), std::move(out),
                       std::move(up), std::move(down)});
  }

  at::Tensor Normed(const Norm& norm, const at::Tensor& x) const {
    return at::layer_norm(x, {shape_.width}, norm.weight, norm.bias, shape_.norm_epsilon);
  }

  at::Tensor Attend(const at::Tensor& qkv, int64_t rows) const {
    const int64_t tokens = qkv.size(0) / rows, head = shape_.width / shape_.heads;
    const at::Tensor heads =
        qkv.view({rows, tokens, 3, shape_.heads, head}).permute({2, 0, 3, 1, 4});
    const std::vector<at::Tensor> parts = heads.unbind(0);
    return CausalAttention(parts[0], parts[1], parts[2]);
  }

  // `site`: the last place before this layer that has masks.
  at::Tensor Through(const Layer& layer, at::Tensor x, int64_t rows, const ForwardPass& pass,
                     uint64_t site) const {
    const auto drop = [&](const at::Tensor& y) { return Dropped(y, rows, pass, &site); };
    x = x + drop(layer.out.Forward(Attend(layer.qkv.Forward(Normed(layer.first, x)), rows)));
    const at::Tensor inner = at::gelu(layer.up.Forward(Normed(layer.second, x)), "tanh");
    return x + drop(layer.down.Forward(inner));
  }

  // Each place in the network has masks of its own.
  at::Tensor Dropped(const at::Tensor& x, int64_t rows, const ForwardPass& pass,
                     uint64_t* site) const {
    if (!pass.training || dropout_ == 0) return x;
    const uint64_t seed = base::Mix64(pass.seed ^ base::Mix64(++*site));
    return KeyedDropout(x.reshape({rows, x.numel() / rows}), dropout_, seed, pass).view_as(x);
  }

  const config::Transformer shape_;
  const double dropout_;
  const bool recomputes_;  // a layer's activations in backward
  const at::ScalarType dtype_;
  Embedding tokens_;
  at::Tensor positions_;
  std::vector<Layer> layers_;
  Norm last_;
};

}  // namespace

std::unique_ptr<Model> MakeGpt(const config::Model& recipe, const data::SampleShape& sample,
                               at::ScalarType dtype, base::Rng& rng) {
  return std::make_unique<Gpt>(recipe, sample, dtype, rng);
}

}  // namespace coxswain::trainer::engine
