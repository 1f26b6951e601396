// Sizes and counts for people: the one place that writes them.
#pragma once

#include <cstdint>
#include <string>

namespace coxswain::base {

std::string CountText(int64_t count);        // "8,120"
std::string BytesText(uint64_t bytes);       // "512 B", "2.4 MiB", "64 TiB"; rounded
std::string ExactBytesText(uint64_t bytes);  // "2.4 MiB (2,488,600 bytes)", "512 bytes"

}  // namespace coxswain::base
