#include <ATen/ATen.h>

#include "trainer/engine/model/head.h"
#include "trainer/engine/model/recipes.h"

namespace coxswain::trainer::engine {
namespace {

class Mlp : public Model {
 public:
  Mlp(const config::Model& recipe, const data::SampleShape& sample, at::ScalarType dtype,
      base::Rng& rng)
      : head_("layers.", sample.dense_size(), recipe.hidden, sample.classes, recipe.dropout, dtype,
              rng, [this](std::string name, at::Tensor value) {
                return AddParameter(std::move(name), std::move(value));
              }) {}

  void KeepGradientMemory() override { head_.KeepGradientMemory(); }
  void DropGradientMemory() override { head_.DropGradientMemory(); }

  at::Tensor Forward(const Inputs& inputs, const ForwardPass& pass) override {
    return head_.Forward(inputs.dense.flatten(1), pass);
  }

 private:
  Head head_;
};

}  // namespace

std::unique_ptr<Model> MakeMlp(const config::Model& recipe, const data::SampleShape& sample,
                               at::ScalarType dtype, base::Rng& rng) {
  return std::make_unique<Mlp>(recipe, sample, dtype, rng);
}

}  // namespace coxswain::trainer::engine
