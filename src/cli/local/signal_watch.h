// Turns signals into calls on a thread of its own.
#pragma once

#include <signal.h>

#include <atomic>
#include <functional>
#include <initializer_list>
#include <thread>

namespace coxswain::cli::local {

// Blocks the signals in this thread and in every thread made later: construct it before others.
class SignalWatch {
 public:
  explicit SignalWatch(std::initializer_list<int> signals);
  ~SignalWatch();  // no call comes afterwards; the signals stay blocked

  // From now on `handle` is called, one signal at a time; what came before is not lost. It is also
  // called with 0, about every 100 ms when no signal comes.
  void Begin(std::function<void(int)> handle);

 private:
  sigset_t signals_;
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

}  // namespace coxswain::cli::local
