// A person or pipeline with one job: submits it under a key until answered, sometimes again after
// that, cancels it, and resubmits what a restored backup has lost.
#pragma once

#include <optional>

#include "coordinator/core/decisions.h"
#include "sim/durable_store.h"
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
  const std::string& why_refused() const { return why_refused_; }
  bool refused() const { return refused_; }
  bool cancelled() const { return cancelled_; }  // asked for, whether answered or not

 private:
  void Submit();
  void Send(uint64_t call, const core::JobSubmitted& event);
  void Answered(uint64_t call, const std::optional<core::Reply>& reply);
  void Refused(const std::string& why);
  // What the shell does about --resume-from before the core is asked. False: there is nothing yet.
  bool Resolve(core::JobSubmitted* event) const;
  bool MayBeAnother() const;
  void Again(base::Duration low, base::Duration high);
  void Cancel();
  std::string Key() const { return "key-" + std::to_string(plan_.number); }

  World& world_;
  const JobPlan& plan_;
  uint64_t calls_ = 0, answered_ = 0;
  std::optional<base::JobId> job_;
  base::Time job_known_at_;  // since when job_ is known
  std::string why_refused_;  // the last time
  int refusals_ = 0;
  bool refused_ = false, cancelled_ = false;
};

}  // namespace coxswain::sim
