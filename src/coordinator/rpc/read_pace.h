// Takes signs of life in company. Each of them alone wakes a thread of gRPC, which hands the watch
// to another one and wakes that: with thousands of workers, most of the coordinator's time. A
// thread that was woken by one rests a moment instead, and finds those of others when it comes
// back. It never rests with work before it, nor on a fleet that is small. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

#include "common/base/clock.h"

namespace coxswain::coordinator::rpc {

class ReadPace {
 public:
  // At the end of a reaction to what could have waited; on gRPC's thread.
  void Rest() {
    thread_local base::Time left;  // when this thread last came back from here
    const base::Time now = base::MonotonicNow();
    if (IsBusy(now) && now - left > kAlone) std::this_thread::sleep_for(kRest);
    left = base::MonotonicNow();
  }

 private:
  static constexpr base::Duration kRest = base::milliseconds(3);
  static constexpr base::Duration kAlone{150};  // since the last one: it was waited for
  static constexpr base::Duration kWindow = base::milliseconds(250);
  static constexpr uint32_t kMany = 250;  // in a window: 1,000 a second

  bool IsBusy(base::Time now) {
    const int64_t window = now.us / kWindow.count();
    if (window_.exchange(window, std::memory_order_relaxed) != window) {
      busy_.store(count_.exchange(0, std::memory_order_relaxed) >= kMany,
                  std::memory_order_relaxed);
    }
    count_.fetch_add(1, std::memory_order_relaxed);
    return busy_.load(std::memory_order_relaxed);
  }

  std::atomic<int64_t> window_ = 0;
  std::atomic<uint32_t> count_ = 0;
  std::atomic<bool> busy_ = false;
};

}  // namespace coxswain::coordinator::rpc
