// The TCP sockets that belong to one process group, so that a collective that cannot end can be
// freed.
//
// ProcessGroupGloo has no abort: shutdown(2) on its own sockets gives every waiting operation an
// error within milliseconds. What was opened between Begin and Settle counts as the group's. A
// socket of an upload that happened to be opened in that short time is broken too, and that upload
// is tried again.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <mutex>
#include <set>
#include <utility>

namespace coxswain::trainer::engine {

// Thread-safe.
class GroupSockets {
 public:
  void Begin();     // the group begins to form
  void Settle();    // it has formed
  void Forget();    // it is gone
  void Shutdown();  // ends every connection of the group, forming or formed
  // Shutdown was called since Begin.
  bool ended() const { return ended_.load(std::memory_order_relaxed); }

 private:
  using Socket = std::pair<int, ino_t>;  // descriptor and inode: a number may be used again
  static std::set<Socket> Connected();

  std::mutex mutex_;
  bool forming_ = false;
  std::atomic<bool> ended_{false};
  std::set<Socket> before_, own_;
};

}  // namespace coxswain::trainer::engine
