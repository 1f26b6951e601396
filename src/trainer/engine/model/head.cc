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
    at::Tensor weight = add(name + ".weight", UniformByFanIn({width, inputs}, inputs, dtype, rng));
    at::Tensor bias = add(name + ".bias", UniformByFanIn({width}, inputs, dtype, rng));
    layers_.emplace_back(std::move(weight), std::move(bias));
    inputs = width;
  }
}

at::Tensor Head::Forward(at::Tensor x, const ForwardPass& pass) const {
  for (size_t i = 0; i < layers_.size(); ++i) {
    bool last = i + 1 == layers_.size();
    if (last && pass.training && dropout_ > 0) {
      x = KeyedDropout(x, dropout_, pass.seed, pass);
    }
    x = layers_[i].Forward(x);
    if (!last) x = at::relu(x);
  }
  return x;
}

}  // namespace coxswain::trainer::engine
