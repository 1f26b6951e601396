#include "trainer/engine/data/sample_order.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "common/base/check.h"
#include "common/base/rng.h"

namespace coxswain::trainer::data {

std::vector<uint32_t> EpochOrder(uint64_t seed, int64_t epoch, int64_t size) {
  CHECK(size > 0 && size <= INT64_C(0xffffffff)) << "samples: " << size;
  std::vector<uint32_t> order(static_cast<size_t>(size));
  std::iota(order.begin(), order.end(), 0u);
  base::Rng rng(base::Mix64(seed) ^ base::Mix64(static_cast<uint64_t>(epoch) + 0x5eed));
  for (size_t i = order.size() - 1; i > 0; --i) std::swap(order[i], order[rng.Below(i + 1)]);
  return order;
}

int64_t OrderInMemory::At(int64_t epoch, int64_t place) {
  if (epoch < 0) return place;
  if (epoch != epoch_) {
    order_ = EpochOrder(seed_, epoch, size_);
    epoch_ = epoch;
  }
  return order_[static_cast<size_t>(place)];
}

Share ShareOfBatch(int64_t batch, int64_t micro_batch, uint32_t rank, uint32_t world_size) {
  int64_t unit = micro_batch > 0 ? micro_batch : 1;
  int64_t units = (batch + unit - 1) / unit;
  auto cut = [&](uint32_t r) { return std::min(batch, units * r / world_size * unit); };
  return Share{cut(rank), cut(rank + 1)};
}

}  // namespace coxswain::trainer::data
