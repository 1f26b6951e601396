#include "cli/local/signal_watch.h"

#include <algorithm>

namespace coxswain::cli::local {

SignalWatch::SignalWatch(std::initializer_list<int> signals) {
  sigemptyset(&signals_);
  for (int signal : signals) sigaddset(&signals_, signal);
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
}

void SignalWatch::Begin(std::function<void(int)> handle) {
  thread_ = std::thread([this, handle = std::move(handle)] {
    while (!ending_) {
      const timespec pause{.tv_sec = 0, .tv_nsec = 100'000'000};
      const int signal = sigtimedwait(&signals_, nullptr, &pause);
      if (!ending_) handle(std::max(signal, 0));
    }
  });
}

SignalWatch::~SignalWatch() {
  ending_ = true;
  if (thread_.joinable()) thread_.join();
}

}  // namespace coxswain::cli::local
