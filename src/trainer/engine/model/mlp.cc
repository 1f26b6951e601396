#include <ATen/ATen.h>

#include <optional>

#include "trainer/engine/model/head.h"
#include "trainer/engine/model/recipes.h"

namespace coxswain::trainer::engine {
namespace {

class Mlp : public Model {
 public:
  Mlp(const config::Model& recipe, const data::SampleShape& sample, at::ScalarType dtype,
      base::Rng& rng) {
    const Head::Add add = [this](std::string name, at::Tensor value) {
      return AddParameter(std::move(name), std::move(value));
    };
    int64_t inputs = sample.dense_size();
    for (int64_t categories : sample.categories) {
      const int64_t width = recipe.EmbeddingWidth(categories);
      const std::string name = "embeddings." + std::to_string(embeddings_.size()) + ".weight";
      embeddings_.push_back(add(name, UniformByFanIn({categories, width}, width, dtype, rng)));
      inputs += width;
    }
    const int64_t outputs = sample.classes > 0 ? sample.classes : 1;
    head_.emplace("layers.", inputs, recipe.hidden, outputs, recipe.dropout, dtype, rng, add);
  }

  void KeepGradientMemory() override { head_->KeepGradientMemory(); }
  void DropGradientMemory() override { head_->DropGradientMemory(); }

  at::Tensor Forward(const Inputs& inputs, const ForwardPass& pass) override {
    if (embeddings_.empty()) return head_->Forward(inputs.dense.flatten(1), pass);
    std::vector<at::Tensor> columns;
    if (inputs.dense.defined()) columns.push_back(inputs.dense);
    for (size_t i = 0; i < embeddings_.size(); ++i) {
      at::Tensor codes = inputs.ids.select(1, static_cast<int64_t>(i));
      columns.push_back(at::embedding(embeddings_[i], codes));
    }
    return head_->Forward(at::cat(columns, 1), pass);
  }

 private:
  std::vector<at::Tensor> embeddings_;  // of each categorical column: (categories, width)
  std::optional<Head> head_;
};

}  // namespace

std::unique_ptr<Model> MakeMlp(const config::Model& recipe, const data::SampleShape& sample,
                               at::ScalarType dtype, base::Rng& rng) {
  return std::make_unique<Mlp>(recipe, sample, dtype, rng);
}

}  // namespace coxswain::trainer::engine
