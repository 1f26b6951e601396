#include "trainer/state/state_list.h"

#include <algorithm>
#include <string>
#include <utility>

#include "trainer/state/resnet_list.h"
#include "trainer/state/transformer_list.h"

namespace coxswain::trainer::state {
namespace {

using blob::TensorInfo;

class Listing {
 public:
  explicit Listing(const config::JobSpec& spec)
      : spec_(spec),
        dtype_(spec.train.precision == config::Precision::kFloat64 ? blob::DType::kFloat64
                                                                   : blob::DType::kFloat32) {}

  StateList List(const config::TextShape& text) {
    const config::Transformer shape =
        config::ResolvedTransformer(spec_.model, text.sequence, text.vocabulary);
    parameters_ = TransformerParameters(spec_.model.recipe, shape, dtype_);
    return Join();
  }

  StateList List(std::vector<TensorInfo> parameters, std::vector<TensorInfo> buffers) {
    parameters_ = std::move(parameters);
    buffers_ = std::move(buffers);
    return Join();
  }

  StateList List(const ImageShape& image) {
    if (spec_.model.recipe == config::Recipe::kResNet) {
      ResNetTensors tensors = ListResNet(spec_.model, image.channels, spec_.data.classes, dtype_);
      parameters_ = std::move(tensors.parameters);
      buffers_ = std::move(tensors.buffers);
      return Join();
    }
    int64_t inputs = image.channels * image.height * image.width;
    const char* prefix = "layers.";
    if (spec_.model.recipe == config::Recipe::kCnn) {
      inputs = Blocks(image);
      prefix = "head.";
    }
    Layers(prefix, inputs, spec_.data.classes);
    return Join();
  }

  // As model/mlp.cc.
  StateList List(const TableShape& table) {
    int64_t inputs = table.numeric;
    for (size_t i = 0; i < table.categories.size(); ++i) {
      const int64_t width = spec_.model.EmbeddingWidth(table.categories[i]);
      Parameter("embeddings." + std::to_string(i) + ".weight", {table.categories[i], width});
      inputs += width;
    }
    Layers("layers.", inputs, table.outputs);
    return Join();
  }

 private:
  void Parameter(std::string name, std::vector<int64_t> shape) {
    parameters_.push_back({std::move(name), dtype_, std::move(shape)});
  }
  void Buffer(std::string name, std::vector<int64_t> shape) {
    buffers_.push_back({std::move(name), dtype_, std::move(shape)});
  }

  // As model/cnn.cc; returns what goes into the head.
  int64_t Blocks(const ImageShape& image) {
    int64_t channels = image.channels, height = image.height, width = image.width;
    int64_t count = 0;
    for (int64_t outputs : spec_.model.channels) {
      std::string name = "blocks." + std::to_string(count++);
      Parameter(name + ".conv.weight", {outputs, channels, 3, 3});
      if (spec_.model.batch_norm) {
        Parameter(name + ".norm.weight", {outputs});
        Parameter(name + ".norm.bias", {outputs});
        Buffer(name + ".norm.running_mean", {outputs});
        Buffer(name + ".norm.running_var", {outputs});
      } else {
        Parameter(name + ".conv.bias", {outputs});
      }
      channels = outputs;
      if (count % spec_.model.pool_every != 0) continue;
      height /= 2;
      width /= 2;
    }
    return channels * height * width;
  }

  // As model/head.cc.
  void Layers(const std::string& prefix, int64_t inputs, int64_t outputs) {
    std::vector<int64_t> widths = spec_.model.hidden;
    widths.push_back(outputs);
    for (size_t i = 0; i < widths.size(); ++i) {
      std::string name = prefix + std::to_string(i);
      Parameter(name + ".weight", {widths[i], inputs});
      Parameter(name + ".bias", {widths[i]});
      inputs = widths[i];
    }
  }

  // As optim/optimizer.cc.
  void Optimizer(const char* kind, StateList* out) {
    for (const TensorInfo& parameter : parameters_) {
      TensorInfo state = parameter;
      state.name = std::string("optimizer.") + kind + "." + parameter.name;
      Add(&out->optimizer_bytes, state.bytes());
      out->tensors.push_back(std::move(state));
    }
  }

  // As optim/weight_average.cc.
  void Average(StateList* out) {
    for (const std::vector<TensorInfo>* list : {&parameters_, &buffers_}) {
      for (TensorInfo tensor : *list) {
        tensor.name = "ema." + tensor.name;
        out->tensors.push_back(std::move(tensor));
      }
    }
  }

  StateList Join() {
    StateList out;
    out.tensors = parameters_;
    out.tensors.insert(out.tensors.end(), buffers_.begin(), buffers_.end());
    if (spec_.train.optimizer.name == config::OptimizerName::kAdamW) {
      Optimizer("exp_avg", &out);
      Optimizer("exp_avg_sq", &out);
    } else if (spec_.train.optimizer.momentum > 0) {
      Optimizer("momentum", &out);
    }
    if (spec_.train.optimizer.sharded) {
      out.shards = std::max(1u, spec_.min_workers > 0 ? spec_.min_workers : spec_.workers);
    }
    if (spec_.train.ema.decay > 0) Average(&out);
    for (const TensorInfo& parameter : parameters_) Add(&out.parameter_bytes, parameter.bytes());
    for (const TensorInfo& tensor : out.tensors) Add(&out.bytes, tensor.bytes());
    if (spec_.train.precision == config::Precision::kBf16) {
      for (const TensorInfo& parameter : parameters_) {
        if (IsMultiplied(parameter)) Add(&out.lowered_bytes, parameter.bytes() / 2);
      }
    }
    out.parameters = out.parameter_bytes / blob::ElementBytes(dtype_);
    return out;
  }

  // Whether a product takes all of it: not what rows are only picked from.
  bool IsMultiplied(const TensorInfo& parameter) const {
    const auto named = [&](const char* part) {
      return parameter.name.find(part) != std::string::npos;
    };
    if (parameter.shape.size() < 2 || named("embeddings.") || named(".wpe.")) return false;
    return spec_.model.transformer.tied || !named("embed_tokens");
  }

  static void Add(uint64_t* sum, uint64_t more) {
    constexpr uint64_t kMost = uint64_t{1} << 62;  // so that two of them still fit
    *sum = more > kMost - *sum ? kMost : *sum + more;
  }

  const config::JobSpec& spec_;
  const blob::DType dtype_;
  std::vector<TensorInfo> parameters_, buffers_;
};

}  // namespace

StateList ListState(const config::JobSpec& spec, const ImageShape& image) {
  return Listing(spec).List(image);
}

StateList ListState(const config::JobSpec& spec, const TableShape& table) {
  return Listing(spec).List(table);
}

StateList ListState(const config::JobSpec& spec, const config::TextShape& text) {
  return Listing(spec).List(text);
}

StateList ListState(const config::JobSpec& spec, std::vector<TensorInfo> parameters,
                    std::vector<TensorInfo> buffers) {
  return Listing(spec).List(std::move(parameters), std::move(buffers));
}

}  // namespace coxswain::trainer::state
