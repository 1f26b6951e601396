#include "trainer/engine/model/head.h"

#include <ATen/ATen.h>

namespace coxswain::trainer::engine {

Head::Head(const std::string& prefix, int64_t inputs, const std::vector<int64_t>& hidden,
           int64_t classes, double dropout, at::ScalarType dtype, base::Rng& rng, const Add& add)
    : dropout_(dropout) {
  std::vector<int64_t> widths = hidden;
  widths.push_back(classes);
  for (int64_t width : widths) {
    std::string name = prefix + std::to_string(layers_.size());
    at::Tensor weight = UniformByFanIn({width, inputs}, inputs, dtype, rng);
    at::Tensor bias = UniformByFanIn({width}, inputs, dtype, rng);
    layers_.push_back({add(name + ".weight", weight), add(name + ".bias", bias)});
    inputs = width;
  }
}

at::Tensor Head::Forward(at::Tensor x, const ForwardPass& pass) const {
  for (size_t i = 0; i < layers_.size(); ++i) {
    bool last = i + 1 == layers_.size();
    if (last && pass.training && dropout_ > 0) {
      x = KeyedDropout(x, dropout_, pass.seed, pass.position);
    }
    x = at::linear(x, layers_[i].weight, layers_[i].bias);
    if (!last) x = at::relu(x);
  }
  return x;
}

}  // namespace coxswain::trainer::engine
