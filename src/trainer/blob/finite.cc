#include "trainer/blob/finite.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace coxswain::trainer::blob {
namespace {

// A number is none when all bits of its exponent are set. Blocks of a fixed size become vector
// instructions.
template <class Bits>
bool Below(const char* data, uint64_t bytes, Bits exponent) {
  constexpr size_t kBlock = 64;
  Bits block[kBlock] = {};
  for (uint64_t at = 0; at < bytes; at += sizeof block) {
    if (bytes - at < sizeof block) std::memset(block, 0, sizeof block);
    std::memcpy(block, data + at, std::min<uint64_t>(sizeof block, bytes - at));
    Bits found = 0;
    for (Bits each : block) found |= static_cast<Bits>((each & exponent) == exponent);
    if (found != 0) return false;
  }
  return true;
}

}  // namespace

bool AllFinite(DType dtype, const char* data, uint64_t bytes) {
  switch (dtype) {
    case DType::kFloat64:
      return Below<uint64_t>(data, bytes, 0x7ff0'0000'0000'0000);
    case DType::kFloat32:
      return Below<uint32_t>(data, bytes, 0x7f80'0000);
    case DType::kBFloat16:
      return Below<uint16_t>(data, bytes, 0x7f80);
    case DType::kFloat16:
      return Below<uint16_t>(data, bytes, 0x7c00);
    default:
      return true;
  }
}

}  // namespace coxswain::trainer::blob
