// Sizes and counts for people: the one place that writes them.
#pragma once

#include <cstdint>
#include <string>

namespace coxswain::base {

std::string CountText(int64_t count);  // "8,120"
// "0.3122", "1.23e-05", "8,120", "NaN", "infinite": four digits, more only before the point.
std::string NumberText(double value);
// "3 (1-4)": what it is now, and the range that it may be moved in; "- (1-4)": it is none now.
// Where there is no range: "3", or `least` of what is none now.
std::string RangedText(int64_t now, int64_t least, int64_t most);
// "8 GPUs and 64 CPU slots"; below 0: not bounded, left out. Nothing bounded: empty.
std::string SlotsText(int64_t cpus, int64_t gpus);
std::string HeldText(int64_t cpus, int64_t gpus);  // likewise, without what is 0
std::string BytesText(uint64_t bytes);             // "512 B", "2.4 MiB", "64 TiB"; rounded
std::string ExactBytesText(uint64_t bytes);        // "2.4 MiB (2,488,600 bytes)", "512 bytes"

}  // namespace coxswain::base
