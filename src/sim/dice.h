// All chance of one world: one seeded generator, asked in a fixed order.
#pragma once

#include <algorithm>
#include <vector>

#include "common/base/rng.h"
#include "common/base/time.h"

namespace coxswain::sim {

class Dice {
 public:
  explicit Dice(uint64_t seed) : rng_(base::Mix64(seed)) {}

  uint64_t Bits() { return rng_.Next(); }
  bool Percent(uint32_t chance) { return rng_.Below(100) < chance; }
  // Both ends included.
  int64_t Between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(rng_.Below(static_cast<uint64_t>(high - low) + 1));
  }
  base::Duration Between(base::Duration low, base::Duration high) {
    return base::Duration(Between(low.count(), high.count()));
  }
  // Short ones as often as long ones: uniform in the number of doublings of `low` (above 0).
  base::Duration Span(base::Duration low, base::Duration high) {
    int64_t doublings = 0;
    while (low.count() << (doublings + 1) <= high.count()) ++doublings;
    int64_t from = low.count() << Between(0, doublings);
    return base::Duration(Between(from, std::min(from * 2, high.count())));
  }
  template <class T>
  const T& Pick(const std::vector<T>& from) {
    return from[rng_.Below(from.size())];
  }

 private:
  base::Rng rng_;
};

}  // namespace coxswain::sim
