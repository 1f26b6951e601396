// A fleet that does anything a fleet can do, right or wrong, one random step at a time.
#pragma once

#include <set>
#include <string>

#include "common/base/rng.h"
#include "tests/fakes/coordinator/core_world.h"

namespace coxswain::fakes {

class RandomFleet {
 public:
  RandomFleet(CoreWorld* world, uint64_t seed)
      : world_(world), rng_(seed), kindness_(rng_.Below(10) * 10) {}
  void Step();
  bool restarted() const { return restarted_; }  // by the last step

 private:
  const coordinator::core::RankRow* AnyRank();
  void Advance();  // every rank of a job does what it should do next
  void AdvanceRank(const coordinator::core::RankRow& rank);
  void Submit();
  void Hello();
  void Bye();
  void RankReport();
  void TrainerReport(const coordinator::core::RankRow& rank);
  void CheckpointReport(const coordinator::core::RankRow& rank);
  void Exit(const coordinator::core::RankRow& rank);
  void EndTask();
  void Send(const base::NodeId& node, protocol::WorkerReport report);
  base::JobId AnyJob();

  CoreWorld* world_;
  base::Rng rng_;
  uint64_t kindness_;  // in 100 steps, how many help a job on
  bool restarted_ = false;
  uint64_t next_session_ = 0, next_call_ = 0;
  std::map<std::string, coordinator::core::SessionId> sessions_;
};

}  // namespace coxswain::fakes
