// What a tensor is, without LibTorch: names, element types and shapes as safetensors has them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coxswain::trainer::blob {

enum class DType : uint8_t {
  kBool,
  kUint8,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFloat16,
  kBFloat16,
  kFloat32,
  kFloat64
};

const char* ToString(DType dtype);  // "F32", "BF16", "I64", "U8", "BOOL" ...
std::optional<DType> ParseDType(std::string_view text);
uint64_t ElementBytes(DType dtype);

struct TensorInfo {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<int64_t> shape;  // empty: a scalar
  uint64_t bytes() const;      // contiguous, row-major
  friend bool operator==(const TensorInfo&, const TensorInfo&) = default;
};

}  // namespace coxswain::trainer::blob
