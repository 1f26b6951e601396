// Takes signs of life in company. Each of them alone wakes a thread of gRPC, which hands the watch
// to another one and wakes that: with thousands of workers, most of the coordinator's time. A
// thread that was woken by one rests a moment instead, and finds those of others when it comes
// back. It never rests with work before it, nor while much else is said, nor on a small fleet.
// Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

#include "common/base/clock.h"

namespace coxswain::coordinator::rpc {

class ReadPace {
 public:
  // At the end of a reaction on gRPC's thread. `can_wait`: to what could have waited.
  void Reacted(bool can_wait) {
    thread_local base::Time left;  // when this thread last came back from here
    const base::Time now = base::MonotonicNow();
    const bool calm = IsCalm(now, can_wait);
    if (calm && can_wait && now - left > kAlone) std::this_thread::sleep_for(kRest);
    left = base::MonotonicNow();
  }

 private:
  static constexpr base::Duration kRest = base::milliseconds(3);
  static constexpr base::Duration kAlone{150};  // since the last one: it was waited for
  static constexpr base::Duration kWindow = base::milliseconds(250);
  // In a window: from 1,000 to 10,000 a second, and of them at most one in 16 that cannot wait.
  static constexpr uint32_t kMany = 250, kTooMany = 2500, kOthers = 16;

  bool IsCalm(base::Time now, bool can_wait) {
    const int64_t window = now.us / kWindow.count();
    if (window_.exchange(window, std::memory_order_relaxed) != window) {
      const uint32_t all = all_.exchange(0, std::memory_order_relaxed);
      const uint32_t others = others_.exchange(0, std::memory_order_relaxed);
      calm_.store(all >= kMany && all < kTooMany && others * kOthers <= all,
                  std::memory_order_relaxed);
    }
    all_.fetch_add(1, std::memory_order_relaxed);
    if (!can_wait) others_.fetch_add(1, std::memory_order_relaxed);
    return calm_.load(std::memory_order_relaxed);
  }

  std::atomic<int64_t> window_ = 0;
  std::atomic<uint32_t> all_ = 0, others_ = 0;
  std::atomic<bool> calm_ = false;
};

}  // namespace coxswain::coordinator::rpc
