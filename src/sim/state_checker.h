// Looks at the training itself: where generations begin, what finished ranks have done.
#pragma once

#include <map>
#include <set>

#include "sim/durable_store.h"
#include "sim/group.h"
#include "sim/options.h"

namespace coxswain::sim {

class StateChecker {
 public:
  explicit StateChecker(World* world) : world_(*world) {}

  // All ranks of a generation have agreed on a state.
  void Formed(base::JobId job, const protocol::FormGeneration& form, const Agreed& agreed);
  // A rank has done a step.
  void Stepped(base::JobId job, const TrainState& state);
  // A rank says that it has done all steps.
  void Finished(const JobPlan& plan, const protocol::TrainingFinished& report,
                const TrainState& state);
  // A model has been exported, of this state: the job's own, or that of its best checkpoint.
  void Exported(base::JobId job, const JobPlan& plan, const TrainState& state, bool of_best);
  bool HasFinished(uint32_t plan_number) const { return finished_.contains(plan_number); }

 private:
  // Of a job that has no checkpoint of its own yet, and was to begin with another's.
  void CheckResumed(const core::JobRow& job, const std::string& name, const Agreed& agreed);

  World& world_;
  std::set<uint32_t> finished_;
  std::map<base::JobId, int64_t> furthest_;  // the highest position that any rank has come to
};

}  // namespace coxswain::sim
