// The order of an epoch over windows of a text. Pure.
#pragma once

#include <cstdint>
#include <vector>

namespace coxswain::trainer::data {

// How a text that is not in memory is shuffled: its blocks of windows at random, then the windows
// of so many blocks at a time. One group of blocks has to be held.
struct WindowBlocks {
  int64_t windows = 1;                   // of a block
  int64_t at_a_time = INT64_C(1) << 62;  // blocks; all: every order is as likely
};

// A permutation of 0 .. count-1 given by (seed, epoch) and the blocks.
std::vector<uint32_t> WindowOrder(uint64_t seed, int64_t epoch, int64_t count,
                                  const WindowBlocks& blocks);

}  // namespace coxswain::trainer::data
