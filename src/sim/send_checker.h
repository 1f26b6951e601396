// Looks at everything that leaves the coordinator: it may only tell what is committed.
#pragma once

#include <set>

#include "coordinator/core/decisions.h"
#include "sim/durable_store.h"

namespace coxswain::sim {

struct World;

class SendChecker {
 public:
  explicit SendChecker(World* world) : world_(*world) {}

  // `node`: to whom.
  void Sent(const Rows& rows, const base::NodeId& node, const protocol::WorkerOrder& order);
  void Replied(const Rows& rows, const core::Reply& reply);
  void CancelTaken(base::JobId job) { cancelled_.insert(job); }
  const std::set<base::JobId>& cancelled() const { return cancelled_; }

 private:
  void On(const Rows& rows, const protocol::StartRank& order);
  void On(const Rows& rows, const protocol::ToTrainer& order);
  void On(const Rows& rows, const protocol::AcknowledgeExit& order);
  void On(const Rows& rows, const protocol::ForgetJob& order);
  void On(const Rows& rows, const protocol::Welcome& order);
  template <class Other>
  void On(const Rows&, const Other&) {}
  void Require(bool holds, const std::string& what);

  World& world_;
  base::NodeId node_;  // of the order being looked at
  std::set<base::JobId> cancelled_;
};

}  // namespace coxswain::sim
