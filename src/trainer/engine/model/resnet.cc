#include <ATen/ATen.h>

#include <cmath>
#include <optional>

#include "common/config/resnet.h"
#include "trainer/engine/model/layers.h"
#include "trainer/engine/model/linear.h"
#include "trainer/engine/model/recipes.h"

namespace coxswain::trainer::engine {
namespace {

// A convolution without a bias, batch norm, and ReLU if asked for.
struct ConvLayer {
  at::Tensor weight;
  const BatchNorm* norm;
  int64_t stride;
  bool relu;

  at::Tensor Forward(const at::Tensor& x, const ForwardPass& pass) const {
    at::Tensor y = at::conv2d(x, weight, {}, stride, /*padding=*/weight.size(2) / 2);
    y = norm->Forward(y, pass);
    return relu ? at::relu_(y) : y;
  }
};

struct ResidualLayer {
  std::optional<ConvLayer> shortcut;  // where the shape changes
  std::vector<ConvLayer> convs;

  at::Tensor Forward(const at::Tensor& x, const ForwardPass& pass) const {
    at::Tensor y = x;
    for (const ConvLayer& conv : convs) y = conv.Forward(y, pass);
    return at::relu_(y.add_(shortcut ? shortcut->Forward(x, pass) : x));
  }
};

struct ConvSettings {
  int64_t inputs, outputs, kernel, stride = 1;
  bool relu = true;
};

class ResNet : public Model {
 public:
  ResNet(const config::Model& recipe, const data::SampleShape& sample, at::ScalarType dtype,
         base::Rng& rng)
      : dtype_(dtype), rng_(&rng), small_stem_(recipe.small_stem), dropout_(recipe.dropout) {
    const config::ResNetShape shape = config::ResNetOf(recipe.depth, recipe.resnet_width);
    stem_ = Conv("resnet.embedder.embedder",
                 {sample.dense[0], shape.embedding_size, small_stem_ ? 3 : 7, small_stem_ ? 1 : 2});
    int64_t inputs = shape.embedding_size;
    for (size_t stage = 0; stage < shape.depths.size(); ++stage) {
      for (int64_t layer = 0; layer < shape.depths[stage]; ++layer) {
        const std::string name =
            "resnet.encoder.stages." + std::to_string(stage) + ".layers." + std::to_string(layer);
        AddLayer(name, shape.bottleneck, inputs, shape.hidden_sizes[stage],
                 stage > 0 && layer == 0 ? 2 : 1);
        inputs = shape.hidden_sizes[stage];
      }
    }
    at::Tensor weight = AddParameter("classifier.1.weight",
                                     UniformByFanIn({sample.classes, inputs}, inputs, dtype, rng));
    at::Tensor bias =
        AddParameter("classifier.1.bias", UniformByFanIn({sample.classes}, inputs, dtype, rng));
    classifier_.emplace(std::move(weight), std::move(bias));
    rng_ = nullptr;
  }

  void KeepGradientMemory() override { classifier_->KeepGradientMemory(); }
  void DropGradientMemory() override { classifier_->DropGradientMemory(); }

  at::Tensor Forward(const Inputs& inputs, const ForwardPass& pass) override {
    at::Tensor x = stem_->Forward(inputs.dense, pass);
    if (!small_stem_) x = at::max_pool2d(x, 3, 2, 1);
    for (const ResidualLayer& layer : layers_) x = layer.Forward(x, pass);
    x = x.mean({2, 3});
    if (pass.training && dropout_ > 0) x = KeyedDropout(x, dropout_, pass.seed, pass);
    return classifier_->Forward(x);
  }

 private:
  // Weights as He et al. 2015: normal, by the values that come out.
  ConvLayer Conv(const std::string& name, const ConvSettings& s) {
    const double std = std::sqrt(2.0 / static_cast<double>(s.outputs * s.kernel * s.kernel));
    at::Tensor weight =
        AddParameter(name + ".convolution.weight",
                     NormalValues({s.outputs, s.inputs, s.kernel, s.kernel}, std, dtype_, *rng_));
    return {weight, AddBatchNorm(name + ".normalization", s.outputs, dtype_), s.stride, s.relu};
  }

  void AddLayer(const std::string& name, bool bottleneck, int64_t inputs, int64_t outputs,
                int64_t stride) {
    ResidualLayer layer;
    if (inputs != outputs || stride != 1) {
      layer.shortcut = Conv(name + ".shortcut", {inputs, outputs, 1, stride, false});
    }
    std::vector<ConvSettings> convs = {{inputs, outputs, 3, stride},
                                       {outputs, outputs, 3, 1, false}};
    if (bottleneck) {
      const int64_t inner = outputs / config::ResNetShape::kReduction;
      convs = {{inputs, inner, 1}, {inner, inner, 3, stride}, {inner, outputs, 1, 1, false}};
    }
    for (size_t i = 0; i < convs.size(); ++i) {
      layer.convs.push_back(Conv(name + ".layer." + std::to_string(i), convs[i]));
    }
    layers_.push_back(std::move(layer));
  }

  const at::ScalarType dtype_;
  base::Rng* rng_;  // while it is made
  const bool small_stem_;
  const double dropout_;
  std::optional<ConvLayer> stem_;
  std::vector<ResidualLayer> layers_;
  std::optional<Linear> classifier_;
};

}  // namespace

std::unique_ptr<Model> MakeResNet(const config::Model& recipe, const data::SampleShape& sample,
                                  at::ScalarType dtype, base::Rng& rng) {
  return std::make_unique<ResNet>(recipe, sample, dtype, rng);
}

}  // namespace coxswain::trainer::engine
