// The worker's one thread: waits for files, timers and posted calls in one epoll.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "worker/process/fd_watch.h"

namespace coxswain::worker {

class EventLoop : public process::FdWatch {
 public:
  EventLoop();
  ~EventLoop() override;
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Only on the loop's thread, or before Run.
  void Watch(int fd, std::function<void()> ready) override;
  void Forget(int fd) override;
  void After(base::Duration delay, std::function<void()> call) override;
  void At(base::Time due, std::function<void()> call);

  // From any thread: runs `call` on the loop, in order.
  void Post(std::function<void()> call);

  // Until Quit; returns its code.
  int Run();
  void Quit(int code);

 private:
  int TimeoutMs() const;
  void RunTimers();
  void RunPosted();

  const int epoll_;
  const int wake_;
  std::map<int, std::shared_ptr<std::function<void()>>> watched_;
  std::multimap<base::Time, std::function<void()>> timers_;
  bool quit_ = false;
  int code_ = 0;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;  // guarded by mutex_
};

}  // namespace coxswain::worker
