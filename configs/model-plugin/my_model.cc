// A small convolutional network with squeeze-and-excitation blocks (Hu et al. 2018) for images.
#include <coxswain/model_plugin.h>
#include <torch/nn.h>

#include <string>
#include <vector>

namespace {

namespace nn = torch::nn;

// Each channel is weighted by what all of them hold on average.
struct SqueezeExcite : nn::Module {
  SqueezeExcite(int64_t channels, int64_t squeezed)
      : down(register_module("down", nn::Linear(channels, squeezed))),
        up(register_module("up", nn::Linear(squeezed, channels))) {}

  torch::Tensor forward(const torch::Tensor& x) {
    torch::Tensor weight = torch::sigmoid(up(torch::relu(down(x.mean({2, 3})))));
    return x * weight.unsqueeze(2).unsqueeze(3);
  }

  nn::Linear down, up;
};

class MyModel : public coxswain::PluginModel {
 public:
  MyModel(const coxswain::Samples& samples, coxswain::Options& options) {
    if (samples.dense.size() != 3 || samples.numbers) {
      throw std::invalid_argument("is for images and their classes (spec.data.format: idx)");
    }
    const int64_t width = options.Integer("width", 16);
    if (width < 4 || width > 1024) options.Wrong("width", "4 to 1024");
    const double dropout = options.Number("dropout", 0.2);
    int64_t channels = samples.dense[0];
    for (int64_t block = 0; block < 2; ++block) {
      const int64_t outputs = width << block;
      const std::string number = std::to_string(block);
      convs_.push_back(register_module(
          "conv" + number, nn::Conv2d(nn::Conv2dOptions(channels, outputs, 3).padding(1))));
      norms_.push_back(register_module("norm" + number, nn::BatchNorm2d(outputs)));
      gates_.push_back(
          register_module("gate" + number, std::make_shared<SqueezeExcite>(outputs, outputs / 4)));
      channels = outputs;
    }
    dropout_ = register_module("dropout", nn::Dropout(dropout));
    head_ = register_module("head", nn::Linear(channels, samples.outputs));
  }

  torch::Tensor forward(const coxswain::Rows& rows) override {
    torch::Tensor x = rows.dense;
    for (size_t i = 0; i < convs_.size(); ++i) {
      x = gates_[i]->forward(torch::relu(norms_[i](convs_[i](x))));
      x = torch::max_pool2d(x, 2);
    }
    return head_(dropout_(x.mean({2, 3})));
  }

 private:
  std::vector<nn::Conv2d> convs_;
  std::vector<nn::BatchNorm2d> norms_;
  std::vector<std::shared_ptr<SqueezeExcite>> gates_;
  nn::Dropout dropout_{nullptr};
  nn::Linear head_{nullptr};
};

}  // namespace

COXSWAIN_MODEL_PLUGIN("my-model", MyModel)
