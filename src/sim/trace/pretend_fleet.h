// Workers and their trainers that do at once what they are told, and report it: no processes, no
// stores, no faults. What their ranks compute is somebody else's.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "coordinator/core/decisions.h"
#include "coordinator/core/events.h"

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
  // Every rank of the job ends its training.
  void Finish(core::JobId job);
  std::set<core::JobId> JobsOn(const std::string& name) const;
  // Its ranks on each node that has some, by name.
  std::vector<int> SharesOf(core::JobId job) const;

 private:
  struct Rank {
    base::Incarnation incarnation;
    base::Generation generation;
  };
  struct Node {
    core::SessionId session;
    protocol::Inventory inventory;
    std::map<protocol::RankKey, Rank> ranks;
  };

  void On(Node& node, const protocol::StartRank& order);
  void On(Node& node, const protocol::StopRank& order);
  void On(Node& node, const protocol::ToTrainer& order);
  void On(Node& node, const protocol::StartTask& order);
  template <class Other>
  void On(Node&, const Other&) {}
  void Report(const Node& node, protocol::WorkerReport report);
  void Tell(const Node& node, const protocol::RankKey& key, protocol::TrainerReport report);
  void Exit(Node& node, const protocol::RankKey& key, int code);

  Post post_;
  std::map<std::string, Node> nodes_;
  uint64_t sessions_ = 0;
};

}  // namespace coxswain::sim::trace
