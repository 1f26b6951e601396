#include "worker/runtime/event_loop.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/base/clock.h"

namespace coxswain::worker {

EventLoop::EventLoop()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  CHECK(epoll_ >= 0 && wake_ >= 0) << strerror(errno);
  Watch(wake_, [this] { RunPosted(); });
}

EventLoop::~EventLoop() {
  close(wake_);
  close(epoll_);
}

void EventLoop::Watch(int fd, std::function<void()> ready) {
  watched_[fd] = std::make_shared<std::function<void()>>(std::move(ready));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  CHECK(epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0) << strerror(errno);
}

void EventLoop::Forget(int fd) {
  if (watched_.erase(fd) > 0) epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
}

void EventLoop::After(base::Duration delay, std::function<void()> call) {
  At(base::MonotonicNow() + delay, std::move(call));
}

void EventLoop::At(base::Time due, std::function<void()> call) {
  timers_.emplace(due, std::move(call));
}

void EventLoop::Post(std::function<void()> call) {
  {
    std::lock_guard lock(mutex_);
    posted_.push_back(std::move(call));
    if (posted_.size() > 1) return;  // a wake-up is under way
  }
  uint64_t one = 1;
  [[maybe_unused]] ssize_t n = write(wake_, &one, sizeof one);
}

int EventLoop::Run() {
  while (!quit_) {
    epoll_event events[64];
    int count = epoll_wait(epoll_, events, 64, TimeoutMs());
    CHECK(count >= 0 || errno == EINTR) << strerror(errno);
    for (int i = 0; i < count && !quit_; ++i) {
      auto it = watched_.find(events[i].data.fd);
      if (it == watched_.end()) continue;  // forgotten by a callback before it
      auto ready = it->second;             // may forget itself while it runs
      (*ready)();
    }
    RunTimers();
  }
  return code_;
}

void EventLoop::Quit(int code) {
  quit_ = true;
  code_ = code;
}

int EventLoop::TimeoutMs() const {
  if (timers_.empty()) return -1;
  int64_t us = (timers_.begin()->first - base::MonotonicNow()).count();
  return us <= 0 ? 0 : static_cast<int>(std::min<int64_t>(us / 1000 + 1, 1 << 30));
}

void EventLoop::RunTimers() {
  base::Time now = base::MonotonicNow();
  while (!quit_ && !timers_.empty() && timers_.begin()->first <= now) {
    auto call = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    call();
  }
}

void EventLoop::RunPosted() {
  uint64_t count = 0;
  [[maybe_unused]] ssize_t n = read(wake_, &count, sizeof count);
  std::vector<std::function<void()>> calls;
  {
    std::lock_guard lock(mutex_);
    calls.swap(posted_);
  }
  for (auto& call : calls) {
    if (!quit_) call();
  }
}

}  // namespace coxswain::worker
