// Virtual time: calls in the order of their times, ties in the order of asking. Nothing here waits.
#pragma once

#include <functional>
#include <vector>

#include "common/base/time.h"

namespace coxswain::sim {

class EventQueue {
 public:
  using Call = std::function<void()>;

  base::Time now() const { return now_; }
  void At(base::Time at, Call call);  // not before now
  void After(base::Duration delay, Call call) { At(now_ + delay, std::move(call)); }
  // Moves time to the next call and makes it. False: there is none.
  bool RunNext();
  uint64_t ran() const { return ran_; }

 private:
  struct Entry {
    base::Time at;
    uint64_t order;
    Call call;
  };
  static bool Later(const Entry& a, const Entry& b) {
    return a.at != b.at ? a.at > b.at : a.order > b.order;
  }

  base::Time now_{1'000'000};
  uint64_t asked_ = 0, ran_ = 0;
  std::vector<Entry> heap_;  // earliest first
};

}  // namespace coxswain::sim
