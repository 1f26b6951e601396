// Linear layers with ReLU between them, dropout before the last: the whole of an mlp, the end of a
// cnn.
#pragma once

#include <functional>
#include <vector>

#include "trainer/engine/model/layers.h"
#include "trainer/engine/model/linear.h"
#include "trainer/engine/model/model.h"

namespace coxswain::trainer::engine {

class Head {
 public:
  using Add = std::function<at::Tensor(std::string name, at::Tensor value)>;
  // Names are `prefix` + "0.weight" and so on.
  Head(const std::string& prefix, int64_t inputs, const std::vector<int64_t>& hidden,
       int64_t classes, double dropout, at::ScalarType dtype, base::Rng& rng, const Add& add);
  at::Tensor Forward(at::Tensor x, const ForwardPass& pass) const;
  void KeepGradientMemory() {
    for (Linear& layer : layers_) layer.KeepGradientMemory();
  }
  void DropGradientMemory() {
    for (Linear& layer : layers_) layer.DropGradientMemory();
  }

 private:
  std::vector<Linear> layers_;
  double dropout_;
};

}  // namespace coxswain::trainer::engine
