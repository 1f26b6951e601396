// The workers' open streams. Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "coordinator/runtime/api.h"

namespace coxswain::coordinator::runtime {

class SessionTable {
 public:
  core::SessionId Add(std::shared_ptr<WorkerSession> session, core::NodeId node) {
    std::lock_guard lock(mutex_);
    core::SessionId id(++last_);
    sessions_[id] = Entry{std::move(session), std::move(node), false};
    return id;
  }
  // False: there was none.
  bool Remove(core::SessionId id) {
    std::lock_guard lock(mutex_);
    return sessions_.erase(id) > 0;
  }
  // Null: gone.
  std::shared_ptr<WorkerSession> Find(core::SessionId id) const {
    std::lock_guard lock(mutex_);
    auto it = sessions_.find(id);
    return it == sessions_.end() ? nullptr : it->second.session;
  }
  // From now on its reports are heard.
  void Welcome(core::SessionId id) {
    std::lock_guard lock(mutex_);
    if (auto it = sessions_.find(id); it != sessions_.end()) it->second.welcome = true;
  }
  // The worker of a welcomed session.
  std::optional<core::NodeId> NodeOf(core::SessionId id) const {
    std::lock_guard lock(mutex_);
    auto it = sessions_.find(id);
    if (it == sessions_.end() || !it->second.welcome) return std::nullopt;
    return it->second.node;
  }
  // The newest welcomed session of a worker; 0: none.
  core::SessionId OfNode(const core::NodeId& node) const {
    std::lock_guard lock(mutex_);
    for (auto it = sessions_.rbegin(); it != sessions_.rend(); ++it) {
      if (it->second.welcome && it->second.node == node) return it->first;
    }
    return core::SessionId();
  }
  // Ends every stream; the workers come again by themselves.
  void CloseAll() {
    std::map<core::SessionId, Entry> all;
    {
      std::lock_guard lock(mutex_);
      all.swap(sessions_);
    }
    for (auto& [id, entry] : all) entry.session->Close();
  }

 private:
  struct Entry {
    std::shared_ptr<WorkerSession> session;
    core::NodeId node;
    bool welcome = false;
  };
  mutable std::mutex mutex_;
  std::map<core::SessionId, Entry> sessions_;
  uint64_t last_ = 0;
};

}  // namespace coxswain::coordinator::runtime
