#include "trainer/blob/tensor_info.h"

namespace coxswain::trainer::blob {
namespace {

struct Kind {
  DType dtype;
  const char* name;
  uint64_t bytes;
};
constexpr Kind kKinds[] = {
    {DType::kBool, "BOOL", 1},   {DType::kUint8, "U8", 1},      {DType::kInt8, "I8", 1},
    {DType::kInt16, "I16", 2},   {DType::kInt32, "I32", 4},     {DType::kInt64, "I64", 8},
    {DType::kFloat16, "F16", 2}, {DType::kBFloat16, "BF16", 2}, {DType::kFloat32, "F32", 4},
    {DType::kFloat64, "F64", 8},
};

}  // namespace

const char* ToString(DType dtype) { return kKinds[static_cast<size_t>(dtype)].name; }

std::optional<DType> ParseDType(std::string_view text) {
  for (const Kind& kind : kKinds) {
    if (text == kind.name) return kind.dtype;
  }
  return std::nullopt;
}

uint64_t ElementBytes(DType dtype) { return kKinds[static_cast<size_t>(dtype)].bytes; }

uint64_t TensorInfo::bytes() const {
  uint64_t count = ElementBytes(dtype);
  for (int64_t size : shape) count *= static_cast<uint64_t>(size);
  return count;
}

}  // namespace coxswain::trainer::blob
