// The header of a safetensors object: 8 bytes of length, then JSON with every entry's element type,
// shape and place in the data that follows. Format: https://huggingface.co/docs/safetensors
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/blob/tensor_info.h"

namespace coxswain::trainer::blob {

// Header of `entries`, whose bytes follow it end to end in this order. A multiple of 8 bytes long.
std::string SafetensorsHeader(const std::vector<TensorInfo>& entries,
                              const std::map<std::string, std::string>& metadata);

struct ParsedSafetensors {
  std::vector<TensorInfo> entries;  // in the order of their data, end to end
  std::map<std::string, std::string> metadata;
};
// Bytes before the data, from an object's first 8 bytes and its size. INVALID_ARGUMENT if
// impossible.
absl::StatusOr<uint64_t> SafetensorsHeaderBytes(std::string_view first8, uint64_t object_bytes);
// `header`: the object's first SafetensorsHeaderBytes. INVALID_ARGUMENT unless the entries fill the
// object exactly.
absl::StatusOr<ParsedSafetensors> ParseSafetensorsHeader(std::string_view header,
                                                         uint64_t object_bytes);

}  // namespace coxswain::trainer::blob
