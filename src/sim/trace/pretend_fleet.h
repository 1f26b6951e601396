// Pretend workers of one core in the same process: each has a session, and comes and goes.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "coordinator/core/decisions.h"
#include "coordinator/core/events.h"
#include "sim/trace/pretend_worker.h"

namespace coxswain::sim::trace {

namespace core = coordinator::core;

class PretendFleet {
 public:
  // What it reports. It is called from within Do: the caller puts it into a queue.
  using Post = std::function<void(core::EventBody)>;
  explicit PretendFleet(Post post) : post_(std::move(post)) {}

  void Join(const std::string& name, uint32_t cpus, uint32_t gpus);
  // Gone without a word, ranks and all.
  void Vanish(const std::string& name);
  void Do(const core::Action& action);
  void Heartbeat();
  // Of the job's first rank; generation and step are filled in.
  void TellProgress(core::JobId job, const protocol::TrainerProgress& report);
  // Every rank of the job ends its training.
  void Finish(core::JobId job);
  std::set<core::JobId> JobsOn(const std::string& name) const;
  // Its ranks on each node that has some, by name.
  std::vector<int> SharesOf(core::JobId job) const;

 private:
  struct Node {
    core::SessionId session;
    std::unique_ptr<PretendWorker> worker;
  };

  Post post_;
  std::map<std::string, Node> nodes_;
  std::map<core::SessionId, PretendWorker*> by_session_;
  uint64_t sessions_ = 0;
};

}  // namespace coxswain::sim::trace
