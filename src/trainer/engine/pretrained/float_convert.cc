#include "trainer/engine/pretrained/float_convert.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "common/base/check.h"

namespace coxswain::trainer::pretrained {
namespace {

struct Half {
  uint16_t bits;
  operator float() const {
    const int exponent = bits >> 10 & 0x1f;
    const auto fraction = static_cast<float>(bits & 0x3ff);
    const float sign = bits >> 15 != 0 ? -1.0f : 1.0f;
    if (exponent == 0) return sign * std::ldexp(fraction, -24);
    if (exponent == 31) return fraction == 0 ? sign * INFINITY : NAN;
    return sign * std::ldexp(1024 + fraction, exponent - 25);
  }
};

struct Brain {
  uint16_t bits;
  operator float() const { return std::bit_cast<float>(uint32_t{bits} << 16); }
};

template <class From, class To>
void Convert(const char* from, uint64_t count, char* to) {
  for (uint64_t i = 0; i < count; ++i) {
    From value;
    std::memcpy(&value, from + i * sizeof value, sizeof value);
    const To converted = static_cast<To>(value);
    std::memcpy(to + i * sizeof converted, &converted, sizeof converted);
  }
}

template <class To>
void ConvertTo(blob::DType type, const char* from, uint64_t count, char* to) {
  switch (type) {
    case blob::DType::kFloat16:
      return Convert<Half, To>(from, count, to);
    case blob::DType::kBFloat16:
      return Convert<Brain, To>(from, count, to);
    case blob::DType::kFloat32:
      return Convert<float, To>(from, count, to);
    default:
      CHECK(type == blob::DType::kFloat64);
      return Convert<double, To>(from, count, to);
  }
}

}  // namespace

void ConvertFloats(blob::DType from_type, const char* from, uint64_t count, blob::DType to_type,
                   char* to) {
  if (to_type == blob::DType::kFloat64) return ConvertTo<double>(from_type, from, count, to);
  CHECK(to_type == blob::DType::kFloat32);
  ConvertTo<float>(from_type, from, count, to);
}

}  // namespace coxswain::trainer::pretrained
