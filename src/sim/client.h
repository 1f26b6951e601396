// A person or pipeline with one job: submits it under a key until answered, sometimes again after
// that, cancels it, and resubmits what a restored backup has lost.
#pragma once

#include <optional>

#include "coordinator/core/decisions.h"
#include "sim/options.h"

namespace coxswain::sim {

struct World;

class Client {
 public:
  Client(World* world, const JobPlan& plan) : world_(*world), plan_(plan) {}

  void Begin();
  // After all is healed: what no machine could ever hold is given up.
  void CancelIfNeverFits();
  // Its store was restored from an older copy.
  void StoreWentBack();

  const JobPlan& plan() const { return plan_; }
  std::optional<base::JobId> job() const { return job_; }
  bool refused() const { return refused_; }
  bool cancelled() const { return cancelled_; }  // asked for, whether answered or not

 private:
  void Submit();
  void Answered(uint64_t call, const std::optional<coordinator::core::Reply>& reply);
  void Again(base::Duration low, base::Duration high);
  void Cancel();
  std::string Key() const { return "key-" + std::to_string(plan_.number); }

  World& world_;
  const JobPlan& plan_;
  uint64_t calls_ = 0, answered_ = 0;
  std::optional<base::JobId> job_;
  bool refused_ = false, cancelled_ = false;
};

}  // namespace coxswain::sim
