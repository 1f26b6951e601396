// The pauses between tries to connect: doubling, with jitter, so that a thousand workers do not all
// come back in the same instant. Pure; not thread-safe.
#pragma once

#include <algorithm>

#include "common/base/deadlines.h"
#include "common/base/rng.h"

namespace coxswain::rpc {

class ReconnectPolicy {
 public:
  ReconnectPolicy(const base::Deadlines& deadlines, uint64_t seed)
      : first_(deadlines.ReconnectFirst()), longest_(deadlines.ReconnectLongest()), rng_(seed) {
    Reset();
  }
  // The connection has proved good: the next pause is the first one again.
  void Reset() { pause_ = first_; }
  // Half of the pause, and a random part of the other half.
  base::Duration Next() {
    base::Duration half = pause_ / 2;
    pause_ = std::min(pause_ * 2, longest_);
    return half + base::Duration(rng_.Below(static_cast<uint64_t>(half.count()) + 1));
  }

 private:
  const base::Duration first_, longest_;
  base::Duration pause_{};
  base::Rng rng_;
};

}  // namespace coxswain::rpc
