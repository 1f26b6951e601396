#include "trainer/state/resnet_list.h"

#include <string>

#include "common/config/resnet.h"

namespace coxswain::trainer::state {
namespace {

class ResNetListing {
 public:
  explicit ResNetListing(blob::DType dtype) : dtype_(dtype) {}

  ResNetTensors List(const config::Model& model, int64_t image_channels, int64_t classes) {
    const config::ResNetShape shape = config::ResNetOf(model.depth, model.resnet_width);
    const int64_t kernel = model.small_stem ? 3 : 7;
    int64_t inputs = shape.embedding_size;
    Conv("resnet.embedder.embedder", {inputs, image_channels, kernel, kernel});
    for (size_t stage = 0; stage < shape.depths.size(); ++stage) {
      const int64_t outputs = shape.hidden_sizes[stage];
      for (int64_t i = 0; i < shape.depths[stage]; ++i) {
        const std::string name =
            "resnet.encoder.stages." + std::to_string(stage) + ".layers." + std::to_string(i);
        if (inputs != outputs || (stage > 0 && i == 0)) {
          Conv(name + ".shortcut", {outputs, inputs, 1, 1});
        }
        Layer(name + ".layer.", shape.bottleneck, inputs, outputs);
        inputs = outputs;
      }
    }
    Parameter("classifier.1.weight", {classes, inputs});
    Parameter("classifier.1.bias", {classes});
    return std::move(out_);
  }

 private:
  void Layer(const std::string& name, bool bottleneck, int64_t inputs, int64_t outputs) {
    const int64_t inner = bottleneck ? outputs / config::ResNetShape::kReduction : outputs;
    const int64_t outer = bottleneck ? 1 : 3;
    Conv(name + "0", {inner, inputs, outer, outer});
    if (bottleneck) Conv(name + "1", {inner, inner, 3, 3});
    Conv(name + (bottleneck ? "2" : "1"), {outputs, inner, outer, outer});
  }

  void Conv(const std::string& name, std::vector<int64_t> weight) {
    const int64_t outputs = weight.front();
    Parameter(name + ".convolution.weight", std::move(weight));
    const std::string norm = name + ".normalization.";
    Parameter(norm + "weight", {outputs});
    Parameter(norm + "bias", {outputs});
    out_.buffers.push_back({norm + "running_mean", dtype_, {outputs}});
    out_.buffers.push_back({norm + "running_var", dtype_, {outputs}});
  }

  void Parameter(std::string name, std::vector<int64_t> shape) {
    out_.parameters.push_back({std::move(name), dtype_, std::move(shape)});
  }

  const blob::DType dtype_;
  ResNetTensors out_;
};

}  // namespace

ResNetTensors ListResNet(const config::Model& model, int64_t image_channels, int64_t classes,
                         blob::DType dtype) {
  return ResNetListing(dtype).List(model, image_channels, classes);
}

}  // namespace coxswain::trainer::state
