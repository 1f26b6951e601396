// Pixels as numbers.
#pragma once

#include <cstdint>

namespace coxswain::trainer::data {

// Writes (value / 255 - mean) / std of `count` bytes to `to`.
class Normalizer {
 public:
  Normalizer(double mean, double std);
  void Apply(const uint8_t* from, int64_t count, float* to) const;
  void Apply(const uint8_t* from, int64_t count, double* to) const;

 private:
  float float_[256];
  double double_[256];
};

}  // namespace coxswain::trainer::data
