// IDX, the format of MNIST and its kin: two zero bytes, element type (8: unsigned byte), number of
// dimensions, each dimension as a big-endian 32-bit number, then the elements in row-major order.
// http://yann.lecun.com/exdb/mnist/ describes it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace coxswain::trainer::data {

struct IdxArray {
  std::vector<uint32_t> dims;
  std::string storage;  // the whole file, unpacked; the elements begin at `offset`
  size_t offset = 0;
  size_t count = 0;  // elements: product of dims
  const uint8_t* bytes() const { return reinterpret_cast<const uint8_t*>(storage.data()) + offset; }
};

// `file` is the object's content, gzipped (recognised by its first bytes) or plain; `uri` is for
// messages. INVALID_ARGUMENT: not IDX, another element type, cut short or too long: says what was
// found and expected.
absl::StatusOr<IdxArray> ParseIdx(std::string file, std::string_view uri);

}  // namespace coxswain::trainer::data
