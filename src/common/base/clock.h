// The two real clocks. For shells only: the purity check refuses them in a core.
#pragma once

#include "common/base/time.h"

namespace coxswain::base {

inline Time MonotonicNow() {
  return Time{
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())
          .count()};
}
inline WallTime WallNow() {
  return WallTime{
      std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch())
          .count()};
}

}  // namespace coxswain::base
