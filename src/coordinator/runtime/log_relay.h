// Passes log reads on to the worker that holds the log, and its answers back to who asked.
// Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "coordinator/runtime/session_table.h"

namespace coxswain::coordinator::runtime {

class LogRelay {
 public:
  explicit LogRelay(const SessionTable* sessions) : shared_(std::make_shared<Shared>(sessions)) {}

  // Asks the worker `node`. Errors come through `data`, on this thread: Unavailable when the worker
  // has no stream. The Subscription's end cancels the read.
  std::unique_ptr<Subscription> Read(core::Term term, const core::NodeId& node,
                                     const LogRequest& request, LogCallback data);
  void OnData(core::SessionId session, protocol::LogData data);
  // Every read on that stream ends with Unavailable.
  void OnDisconnected(core::SessionId session);
  void OnAllDisconnected();

 private:
  struct Reading;
  struct Shared {
    explicit Shared(const SessionTable* s) : sessions(s) {}
    const SessionTable* sessions;
    std::mutex mutex;
    std::map<uint64_t, std::shared_ptr<Reading>> readings;
    uint64_t last = 0;
    void EndWith(core::SessionId session, bool all);
  };
  class Entry;
  std::shared_ptr<Shared> shared_;
};

}  // namespace coxswain::coordinator::runtime
