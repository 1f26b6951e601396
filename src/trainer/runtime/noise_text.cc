#include "trainer/runtime/noise_text.h"

#include <cmath>
#include <cstdio>

namespace coxswain::trainer {

std::string NoiseText(const engine::NoiseAverages& averages) {
  char text[96];
  std::snprintf(text, sizeof text, "%.17g %.17g %lld", averages.signal, averages.noise,
                static_cast<long long>(averages.count));
  return text;
}

engine::NoiseAverages ParseNoise(const std::string& text) {
  engine::NoiseAverages averages;
  long long count = 0;
  if (std::sscanf(text.c_str(), "%lg %lg %lld", &averages.signal, &averages.noise, &count) != 3 ||
      !std::isfinite(averages.signal) || !std::isfinite(averages.noise) || count < 1) {
    return {};
  }
  averages.count = count;
  return averages;
}

}  // namespace coxswain::trainer
