#include "sim/event_queue.h"

#include <algorithm>

namespace coxswain::sim {

void EventQueue::At(base::Time at, Call call) {
  heap_.push_back({std::max(at, now_), asked_++, std::move(call)});
  std::push_heap(heap_.begin(), heap_.end(), Later);
}

bool EventQueue::RunNext() {
  if (heap_.empty()) return false;
  std::pop_heap(heap_.begin(), heap_.end(), Later);
  Entry next = std::move(heap_.back());
  heap_.pop_back();
  now_ = next.at;
  ++ran_;
  next.call();
  return true;
}

}  // namespace coxswain::sim
