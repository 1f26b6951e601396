// When a job far back in line would start: once the work ahead of it is done, if all slots are busy
// all the time, and no sooner than its queue's limit allows. A rough figure, for those that are too
// many to be looked at one by one. Inside scheduling/ only.
#pragma once

#include <map>
#include <optional>

#include "coordinator/core/scheduling/planner.h"

namespace coxswain::coordinator::core {

class Backlog {
 public:
  explicit Backlog(const PlanRequest& request);  // outlives it

  // It goes before those that come next.
  void Add(const WaitingJob& job);
  // Nothing: nobody knows how long some of those ahead run.
  std::optional<base::Time> Start(const WaitingJob& job) const;

 private:
  // Slots times seconds, a GPU as so many CPU slots as SchedulingSettings says.
  struct Work {
    double known = 0;
    bool all = true;  // it is known of all of them
    void Add(double slots, std::optional<base::Duration> time);
  };
  double SlotsOf(const Amount& amount) const;
  void Count(const PlannedJob& job, std::optional<base::Duration> time);

  const PlanRequest& in_;
  double capacity_ = 0;                 // slots
  Work work_;                           // of the whole fleet
  std::map<QueueIndex, Work> limited_;  // of those with a limit
};

}  // namespace coxswain::coordinator::core
