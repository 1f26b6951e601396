// What one thread takes and many put, in order. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <vector>

namespace coxswain::coordinator::runtime {

template <class T>
class WorkQueue {
 public:
  // False: closed, `item` is gone.
  bool Push(T item) {
    std::lock_guard lock(mutex_);
    if (closed_) return false;
    items_.push_back(std::move(item));
    ready_.notify_one();
    return true;
  }
  // Everything there is, in order; waits for the first. Empty: closed and drained.
  std::vector<T> TakeAll() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return closed_ || !items_.empty(); });
    return std::exchange(items_, {});
  }
  // Waits until closed, at most so long. True: closed.
  bool WaitClosed(std::chrono::microseconds longest) {
    std::unique_lock lock(mutex_);
    return closed_signal_.wait_for(lock, longest, [this] { return closed_; });
  }
  void Close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    ready_.notify_all();
    closed_signal_.notify_all();
  }
  size_t size() const {
    std::lock_guard lock(mutex_);
    return items_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable ready_, closed_signal_;
  std::vector<T> items_;
  bool closed_ = false;
};

}  // namespace coxswain::coordinator::runtime
