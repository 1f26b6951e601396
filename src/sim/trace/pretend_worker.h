// A worker and its trainers that do at once what they are told, and report it: no processes, no
// stores, no faults. How long its ranks train is somebody else's.
#pragma once

#include <functional>
#include <map>

#include "common/protocol/worker_messages.h"

namespace coxswain::sim::trace {

class PretendWorker {
 public:
  struct Rank {
    base::Incarnation incarnation;
    base::Generation generation;  // formed; 0: none yet
    bool finished = false;        // said so, not yet answered
    int64_t steps = 0;            // as told by TellProgress of its job
  };
  // What it reports; called from within the calls below.
  using Post = std::function<void(protocol::WorkerReport)>;
  PretendWorker(protocol::Inventory inventory, Post post);

  // `gpus` of one kind; its address is nowhere.
  static protocol::Inventory InventoryOf(const std::string& name, uint32_t cpus, uint32_t gpus);

  void Do(const protocol::WorkerOrder& order);
  // Every rank of the job that it has ends its training.
  void Finish(base::JobId job);
  // The same for one rank of one generation, if it is still in that.
  void Finish(const protocol::RankKey& key, base::Generation generation);
  // Its ranks that train have come so far.
  void TellProgress(int64_t step);
  // Of the job's first rank, if it has that and it trains; generation and step are filled in.
  void TellProgress(base::JobId job, protocol::TrainerProgress report);
  // Whatever kept it or its GPUs from taking work is over.
  void TakeWork();
  // What a stream begins with.
  protocol::WorkerHello Hello(base::Incarnation incarnation, base::Term highest) const;
  // Tells again what has not been answered since the last but one of these calls.
  void Repeat();
  const protocol::Inventory& inventory() const { return inventory_; }
  const std::map<protocol::RankKey, Rank>& ranks() const { return ranks_; }

 private:
  struct Exited {
    base::Incarnation incarnation;
    protocol::ExitRecord record;
    int waited = 0;  // calls of Repeat
  };

  void On(const protocol::StartRank& order);
  void On(const protocol::StopRank& order);
  void On(const protocol::ToTrainer& order);
  void On(const protocol::StartTask& order);
  void On(const protocol::AcknowledgeExit& order) { exits_.erase(order.key); }
  template <class Other>
  void On(const Other&) {}
  void Tell(const protocol::RankKey& key, const Rank& rank, protocol::TrainerReport report);
  void TellReady(const protocol::RankKey& key, const Rank& rank);
  void TellFinished(const protocol::RankKey& key, const Rank& rank);
  void Exit(const protocol::RankKey& key, int code);

  protocol::Inventory inventory_;
  const Post post_;
  std::map<protocol::RankKey, Rank> ranks_;
  std::map<protocol::RankKey, Exited> exits_;  // not yet acknowledged
};

}  // namespace coxswain::sim::trace
