#include "coordinator/rpc/work_loop.h"

#include "common/base/clock.h"

namespace coxswain::coordinator::rpc {

WorkLoop::WorkLoop(int threads) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

WorkLoop::~WorkLoop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
}

void WorkLoop::Post(std::function<void()> work) {
  std::lock_guard lock(mutex_);
  ready_.push_back(std::move(work));
  changed_.notify_one();
}

void WorkLoop::PostAt(base::Time when, std::function<void()> work) {
  std::lock_guard lock(mutex_);
  waiting_.emplace(when, std::move(work));
  changed_.notify_all();  // it may be the first one due
}

void WorkLoop::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    base::Time now = base::MonotonicNow();
    while (!waiting_.empty() && waiting_.begin()->first <= now) {
      ready_.push_back(std::move(waiting_.begin()->second));
      waiting_.erase(waiting_.begin());
    }
    if (!ready_.empty()) {
      std::function<void()> work = std::move(ready_.front());
      ready_.pop_front();
      lock.unlock();
      work();
      work = nullptr;  // what it holds goes without the lock
      lock.lock();
    } else if (waiting_.empty()) {
      changed_.wait(lock);
    } else {
      changed_.wait_for(lock, waiting_.begin()->first - now);
    }
  }
}

}  // namespace coxswain::coordinator::rpc
