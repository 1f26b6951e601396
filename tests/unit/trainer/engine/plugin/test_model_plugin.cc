// An mlp as the recipe has it; told by its options, it does things wrong.
#include <torch/csrc/autograd/custom_function.h>
#include <torch/nn/functional.h>

#include <cmath>
#include <stdexcept>

#include "trainer/engine/plugin/model_plugin.h"

namespace {

// Its backward throws, or gives no numbers.
struct Backward : torch::autograd::Function<Backward> {
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               bool throws) {
    context->saved_data["throws"] = throws;
    return x.clone();
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               const torch::autograd::tensor_list& gradients) {
    if (context->saved_data["throws"].toBool()) throw std::out_of_range("no gradient of row 21");
    return {gradients[0] * std::nan(""), torch::Tensor()};
  }
};

class TestModel : public coxswain::PluginModel {
 public:
  TestModel(const coxswain::Samples& samples, coxswain::Options& options)
      : samples_(samples), wrong_(options.Text("wrong", "")) {
    if (wrong_ == "make") throw std::runtime_error("no such file: weights.bin");
    const int64_t hidden = options.Integer("hidden", 12);
    dropout_ = options.Number("dropout", 0);
    int64_t inputs = 1;
    for (int64_t size : samples.dense) inputs *= size;
    first_ = Add("first", {hidden, inputs});
    first_bias_ = Add("first_bias", {hidden});
    last_ = Add("last", {samples.outputs, hidden});
    last_bias_ = Add("last_bias", {samples.outputs});
    frozen_ = register_parameter("frozen", torch::ones({2}), /*requires_grad=*/false);
    seen_ = register_buffer("seen", torch::zeros({}, torch::kLong));
    mean_ = register_buffer("mean", torch::zeros({hidden}));
  }

  torch::Tensor forward(const coxswain::Rows& rows) override {
    if (wrong_ == "step" && rows.training && rows.position > 20) {
      throw std::out_of_range("row 21 is not mine");
    }
    torch::Tensor x = torch::relu(torch::linear(rows.dense.flatten(1), first_, first_bias_));
    if (rows.training) {
      torch::NoGradGuard no_grad;
      seen_.add_(1);
      mean_.lerp_(x.mean(0), 0.1);
    }
    x = torch::dropout(x, dropout_, is_training());
    if (wrong_ == "shape") return x;
    if (rows.training && rows.position > 20 && (wrong_ == "backward" || wrong_ == "gradient")) {
      x = Backward::apply(x, wrong_ == "backward");
    }
    return torch::linear(x, last_, last_bias_) * frozen_[0];
  }

 private:
  torch::Tensor Add(const char* name, std::vector<int64_t> shape) {
    return register_parameter(name, 0.1 * torch::randn(shape));
  }

  const coxswain::Samples samples_;
  const std::string wrong_;
  double dropout_;
  torch::Tensor first_, first_bias_, last_, last_bias_, frozen_, seen_, mean_;
};

}  // namespace

COXSWAIN_MODEL_PLUGIN("test-model", TestModel)
