#include "trainer/engine/data/table/window_order.h"

#include <algorithm>
#include <numeric>

#include "common/base/check.h"
#include "common/base/rng.h"
#include "trainer/engine/data/sample_order.h"

namespace coxswain::trainer::data {

WindowOrder::WindowOrder(std::vector<int64_t> rows, int64_t window, uint64_t seed)
    : rows_(std::move(rows)), window_(window), seed_(seed) {
  CHECK(window_ > 0 && window_ <= INT64_C(0xffffffff)) << "rows of a window: " << window_;
  size_ = std::accumulate(rows_.begin(), rows_.end(), int64_t{0});
}

int64_t WindowOrder::WindowSize(int64_t window) const {
  return std::min(window_, size_ - window * window_);
}

std::vector<uint32_t> WindowOrder::Groups(int64_t epoch) const {
  if (epoch >= 0) return EpochOrder(seed_, epoch, static_cast<int64_t>(rows_.size()));
  std::vector<uint32_t> stored(rows_.size());
  std::iota(stored.begin(), stored.end(), 0u);
  return stored;
}

GroupPlace WindowOrder::Begin(int64_t window, const std::vector<uint32_t>& groups) const {
  GroupPlace place;
  int64_t before = window * window_;
  while (place.group < groups.size() && before >= rows_[groups[place.group]]) {
    before -= rows_[groups[place.group++]];
  }
  place.offset = before;
  return place;
}

std::vector<uint32_t> WindowOrder::Rows(int64_t epoch, int64_t window) const {
  if (epoch < 0) return {};
  const uint64_t seed = base::Mix64(seed_ ^ base::Mix64(static_cast<uint64_t>(window) + 0x3140));
  return EpochOrder(seed, epoch, WindowSize(window));
}

}  // namespace coxswain::trainer::data
