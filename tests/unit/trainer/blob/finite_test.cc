#include "trainer/blob/finite.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace coxswain::trainer::blob {
namespace {

template <class T>
bool Finite(DType dtype, const std::vector<T>& values) {
  return AllFinite(dtype, reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

TEST(AllFinite, OneBadNumberAnywhere_IsFound) {
  for (size_t size : {1, 63, 64, 65, 200}) {
    for (size_t at = 0; at < size; ++at) {
      std::vector<float> floats(size, -std::numeric_limits<float>::max());
      std::vector<double> doubles(size, std::numeric_limits<double>::denorm_min());
      EXPECT_TRUE(Finite(DType::kFloat32, floats));
      EXPECT_TRUE(Finite(DType::kFloat64, doubles));
      floats[at] = -std::numeric_limits<float>::infinity();
      doubles[at] = std::nan("");
      EXPECT_FALSE(Finite(DType::kFloat32, floats)) << size << " " << at;
      EXPECT_FALSE(Finite(DType::kFloat64, doubles)) << size << " " << at;
    }
  }
}

TEST(AllFinite, HalfPrecision_HasExponentsOfItsOwn) {
  const std::vector<uint16_t> infinity_of_bf16 = {0xff80};
  const std::vector<uint16_t> infinity_of_f16 = {0x7c00};
  EXPECT_FALSE(Finite(DType::kBFloat16, infinity_of_bf16));
  EXPECT_FALSE(Finite(DType::kFloat16, infinity_of_f16));
  EXPECT_TRUE(Finite(DType::kBFloat16, infinity_of_f16));
}

TEST(AllFinite, WholeNumbers_Always) {
  EXPECT_TRUE(Finite(DType::kInt64, std::vector<int64_t>{-1}));
}

}  // namespace
}  // namespace coxswain::trainer::blob
