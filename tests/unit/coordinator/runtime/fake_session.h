// A worker's stream that keeps what it is sent.
#pragma once

#include <condition_variable>
#include <mutex>
#include <vector>

#include "coordinator/runtime/api.h"

namespace coxswain::coordinator::runtime {

class FakeSession : public WorkerSession {
 public:
  void Send(core::Term term, const protocol::WorkerOrder& order) override {
    std::lock_guard lock(mutex_);
    last_term_ = term;
    orders_.push_back(order);
    changed_.notify_all();
  }
  void Close() override {
    std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }
  // The first order of this kind, waiting for it.
  template <class Order>
  Order Wait() {
    std::unique_lock lock(mutex_);
    const Order* found = nullptr;
    changed_.wait(lock, [&] {
      for (const auto& order : orders_) {
        if (found == nullptr) found = std::get_if<Order>(&order);
      }
      return found != nullptr;
    });
    return *found;
  }
  std::vector<protocol::WorkerOrder> orders() {
    std::lock_guard lock(mutex_);
    return orders_;
  }
  void WaitClosed() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_; });
  }
  core::Term last_term() {
    std::lock_guard lock(mutex_);
    return last_term_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<protocol::WorkerOrder> orders_;
  core::Term last_term_;
  bool closed_ = false;
};

}  // namespace coxswain::coordinator::runtime
