#include "trainer/engine/optim/gradient_noise.h"

#include <algorithm>
#include <cmath>

namespace coxswain::trainer::engine {
namespace {

constexpr int64_t kLeast = 4;         // measurements before anything is said
constexpr double kNewest = 1.0 / 50;  // weight of a measurement once there are many
constexpr double kLowest = 1e-3, kHighest = 1e9;

}  // namespace

void GradientNoise::Add(const NoiseMeasurement& measured) {
  auto samples = static_cast<double>(measured.samples);
  auto in_pieces = static_cast<double>(measured.piece_samples);
  if (in_pieces <= 0 || samples <= 0) return;
  double size = measured.piece_squares / in_pieces;  // of a piece, in the mean that counts here
  if (samples - size < 0.5) return;
  double small = measured.pieces / in_pieces, large = measured.whole / samples;
  double signal = (large - small) / (samples - size);
  double noise = small - size * signal;
  if (!std::isfinite(signal) || !std::isfinite(noise)) return;
  ++averages_.count;
  double weight = std::max(kNewest, 1.0 / static_cast<double>(averages_.count));
  averages_.signal += (signal - averages_.signal) * weight;
  averages_.noise += (noise - averages_.noise) * weight;
}

double GradientNoise::scale() const {
  if (averages_.count < kLeast) return 0;
  if (averages_.noise <= 0) return kLowest;
  if (averages_.signal <= 0) return kHighest;  // nothing but noise
  return std::clamp(averages_.noise / averages_.signal, kLowest, kHighest);
}

double LearningRateGain(config::OptimizerName optimizer, int64_t batch, int64_t reference,
                        double noise) {
  if (noise <= 0 || batch == reference) return 1;
  auto large = static_cast<double>(batch), small = static_cast<double>(reference);
  double gain = large / small * (noise + small) / (noise + large);
  return optimizer == config::OptimizerName::kSgd ? gain : std::sqrt(gain);
}

}  // namespace coxswain::trainer::engine
