// A few threads for the reads behind API calls (they may block on SQL), with timers. Thread-safe.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "common/base/time.h"

namespace coxswain::coordinator::rpc {

class WorkLoop {
 public:
  explicit WorkLoop(int threads);
  ~WorkLoop();  // what has not begun is dropped: end all calls first

  void Post(std::function<void()> work);
  void PostAt(base::Time when, std::function<void()> work);

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> ready_;                   // guarded by mutex_
  std::multimap<base::Time, std::function<void()>> waiting_;  // guarded by mutex_
  bool stopping_ = false;                                     // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace coxswain::coordinator::rpc
