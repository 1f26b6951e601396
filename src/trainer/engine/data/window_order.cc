#include "trainer/engine/data/window_order.h"

#include <algorithm>

#include "common/base/rng.h"
#include "trainer/engine/data/sample_order.h"

namespace coxswain::trainer::data {

std::vector<uint32_t> WindowOrder(uint64_t seed, int64_t epoch, int64_t count,
                                  const WindowBlocks& blocks) {
  const int64_t all = (count + blocks.windows - 1) / blocks.windows;
  if (blocks.at_a_time >= all) return EpochOrder(seed, epoch, count);
  const std::vector<uint32_t> block_order = EpochOrder(seed, epoch, all);
  std::vector<uint32_t> order;
  order.reserve(static_cast<size_t>(count));
  for (int64_t first = 0; first < all; first += blocks.at_a_time) {
    const size_t group = order.size();
    for (int64_t i = first; i < std::min(all, first + blocks.at_a_time); ++i) {
      const int64_t begin = block_order[static_cast<size_t>(i)] * blocks.windows;
      const int64_t end = std::min(count, begin + blocks.windows);
      for (int64_t window = begin; window < end; ++window) {
        order.push_back(static_cast<uint32_t>(window));
      }
    }
    base::Rng rng(base::Mix64(seed ^ 0x6707) ^ base::Mix64(static_cast<uint64_t>(epoch)) ^
                  base::Mix64(static_cast<uint64_t>(first)));
    for (size_t i = order.size() - 1; i > group; --i) {
      std::swap(order[i], order[group + rng.Below(i - group + 1)]);
    }
  }
  return order;
}

}  // namespace coxswain::trainer::data
