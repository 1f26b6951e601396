#include "trainer/state/flops.h"

#include <cstdint>

#include "common/config/resnet.h"
#include "common/config/transformer.h"

namespace coxswain::trainer::state {
namespace {

constexpr double kForwardAndBackward = 3;

// Multiplications with additions of one forward pass count twice.
double Training(double multiplications) { return kForwardAndBackward * 2 * multiplications; }

double Count(int64_t a, int64_t b, int64_t c = 1, int64_t d = 1) {
  return static_cast<double>(a) * static_cast<double>(b) * static_cast<double>(c) *
         static_cast<double>(d);
}

// As model/head.cc.
double HeadCount(const config::Model& model, int64_t inputs, int64_t outputs) {
  double sum = 0;
  for (int64_t width : model.hidden) {
    sum += Count(inputs, width);
    inputs = width;
  }
  return sum + Count(inputs, outputs);
}

// As model/cnn.cc.
double CnnCount(const config::JobSpec& spec, const ImageShape& image) {
  int64_t channels = image.channels, height = image.height, width = image.width, block = 0;
  double sum = 0;
  for (int64_t outputs : spec.model.channels) {
    sum += Count(channels * 9, outputs, height, width);
    channels = outputs;
    if (++block % spec.model.pool_every != 0) continue;
    height /= 2;
    width /= 2;
  }
  return sum + HeadCount(spec.model, channels * height * width, spec.data.classes);
}

// As model/resnet.cc, whose paddings keep a size or halve it, rounded up.
class ResNetCount {
 public:
  ResNetCount(const config::Model& model, const ImageShape& image)
      : height_(image.height), width_(image.width) {
    const config::ResNetShape shape = config::ResNetOf(model.depth, model.resnet_width);
    int64_t inputs = shape.embedding_size;
    Conv(image.channels, inputs, model.small_stem ? 3 : 7, model.small_stem ? 1 : 2);
    if (!model.small_stem) Halve();
    for (size_t stage = 0; stage < shape.depths.size(); ++stage) {
      const int64_t outputs = shape.hidden_sizes[stage];
      for (int64_t layer = 0; layer < shape.depths[stage]; ++layer) {
        Layer(shape.bottleneck, inputs, outputs, stage > 0 && layer == 0 ? 2 : 1);
        inputs = outputs;
      }
    }
    outputs_ = inputs;
  }

  double WithClasses(int64_t classes) const { return sum_ + Count(outputs_, classes); }

 private:
  void Halve() {
    height_ = (height_ + 1) / 2;
    width_ = (width_ + 1) / 2;
  }
  void Conv(int64_t inputs, int64_t outputs, int64_t kernel, int64_t stride) {
    if (stride == 2) Halve();
    sum_ += Count(inputs * kernel * kernel, outputs, height_, width_);
  }
  void Layer(bool bottleneck, int64_t inputs, int64_t outputs, int64_t stride) {
    const int64_t inner = outputs / config::ResNetShape::kReduction;
    if (bottleneck) Conv(inputs, inner, 1, 1);
    Conv(bottleneck ? inner : inputs, bottleneck ? inner : outputs, 3, stride);
    Conv(bottleneck ? inner : outputs, outputs, bottleneck ? 1 : 3, 1);
    if (inputs != outputs || stride != 1) Conv(inputs, outputs, 1, 1);  // the shortcut
  }

  int64_t height_, width_, outputs_ = 0;
  double sum_ = 0;
};

}  // namespace

double FlopsPerSample(const config::JobSpec& spec, const ImageShape& image) {
  switch (spec.model.recipe) {
    case config::Recipe::kCnn:
      return Training(CnnCount(spec, image));
    case config::Recipe::kResNet:
      return Training(ResNetCount(spec.model, image).WithClasses(spec.data.classes));
    case config::Recipe::kMlp:
      return Training(
          HeadCount(spec.model, image.channels * image.height * image.width, spec.data.classes));
    default:
      return 0;
  }
}

double FlopsPerSample(const config::JobSpec& spec, const TableShape& table) {
  if (spec.model.recipe != config::Recipe::kMlp) return 0;
  int64_t inputs = table.numeric;
  for (int64_t categories : table.categories) inputs += spec.model.EmbeddingWidth(categories);
  return Training(HeadCount(spec.model, inputs, table.outputs));
}

double FlopsPerSample(const config::JobSpec& spec, const config::TextShape& text) {
  if (!spec.model.IsTransformer()) return 0;
  const bool llama = spec.model.recipe == config::Recipe::kLlama;
  const config::Transformer t =
      config::ResolvedTransformer(spec.model, text.sequence, text.vocabulary);
  const int64_t of_keys = llama ? t.kv_heads * (t.width / t.heads) : t.width;
  // Of a token: queries and output, keys and values; up and down (llama: and gate); attention's two
  // products; the logits.
  const double layer = Count(2, t.width, t.width) + Count(2, t.width, of_keys) +
                       Count(llama ? 3 : 2, t.width, t.feed_forward) +
                       Count(2, text.sequence, t.width);
  const double token = static_cast<double>(t.layers) * layer + Count(t.width, t.vocabulary);
  return Training(static_cast<double>(text.sequence) * token);
}

double PeakFlops(std::string_view gpu, config::Precision precision) {
  struct Peak {
    std::string_view name;
    double bf16, float32, float64;  // 1e12 a second
  };
  // The longer of two names that begin alike comes first.
  static constexpr Peak kPeaks[] = {
      {"H200 NVL", 835.5, 60, 60}, {"H200", 989.4, 67, 67}, {"H100 NVL", 835.5, 60, 60},
      {"H100 PCIe", 756, 51, 51},  {"H100", 989.4, 67, 67}, {"A100", 312, 19.5, 19.5},
      {"L40S", 362, 91.6, 0},      {"L4", 121, 30.3, 0},    {"A10", 125, 31.2, 0},
  };
  if (gpu.find("MIG") != std::string_view::npos) return 0;  // a part of one
  const auto ends = [](char c) { return c == ' ' || c == '-'; };
  for (const Peak& peak : kPeaks) {
    const size_t at = gpu.find(peak.name), end = at + peak.name.size();
    if (at == std::string_view::npos || (at > 0 && !ends(gpu[at - 1]))) continue;
    if (end < gpu.size() && !ends(gpu[end])) continue;  // "A10G" is no "A10"
    const double tera = precision == config::Precision::kBf16      ? peak.bf16
                        : precision == config::Precision::kFloat64 ? peak.float64
                                                                   : peak.float32;
    return tera * 1e12;
  }
  return 0;
}

}  // namespace coxswain::trainer::state
