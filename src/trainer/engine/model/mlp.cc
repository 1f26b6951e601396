#include <ATen/ATen.h>

#include "trainer/engine/model/head.h"
#include "trainer/engine/model/recipes.h"

namespace coxswain::trainer::engine {
namespace {

class Mlp : public Model {
 public:
  Mlp(const config::Model& recipe, const InputShape& input, int64_t classes, at::ScalarType dtype,
      base::Rng& rng)
      : head_("layers.", input.size(), recipe.hidden, classes, recipe.dropout, dtype, rng,
              [this](std::string name, at::Tensor value) {
                return AddParameter(std::move(name), std::move(value));
              }) {}

  void KeepGradientMemory() override { head_.KeepGradientMemory(); }
  void DropGradientMemory() override { head_.DropGradientMemory(); }

  at::Tensor Forward(const at::Tensor& input, const ForwardPass& pass) override {
    return head_.Forward(input.flatten(1), pass);
  }

 private:
  Head head_;
};

}  // namespace

std::unique_ptr<Model> MakeMlp(const config::Model& recipe, const InputShape& input,
                               int64_t classes, at::ScalarType dtype, base::Rng& rng) {
  return std::make_unique<Mlp>(recipe, input, classes, dtype, rng);
}

}  // namespace coxswain::trainer::engine
