#include "trainer/engine/data/normalizer.h"

namespace coxswain::trainer::data {

Normalizer::Normalizer(double mean, double std) {
  for (int i = 0; i < 256; ++i) {
    double_[i] = (i / 255.0 - mean) / std;
    float_[i] = static_cast<float>(double_[i]);
  }
}

void Normalizer::Apply(const uint8_t* from, int64_t count, float* to) const {
  for (int64_t i = 0; i < count; ++i) to[i] = float_[from[i]];
}

void Normalizer::Apply(const uint8_t* from, int64_t count, double* to) const {
  for (int64_t i = 0; i < count; ++i) to[i] = double_[from[i]];
}

}  // namespace coxswain::trainer::data
