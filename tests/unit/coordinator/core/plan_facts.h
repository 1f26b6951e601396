// What tests ask of a plan, in short.
#pragma once

#include <string>
#include <vector>

#include "tests/unit/coordinator/core/planner_world.h"

namespace coxswain::fakes {

inline PendingJob Job(uint64_t id, uint32_t ranks = 1) { return {.id = JobId(id), .ranks = ranks}; }

inline QueueSettings Queue(const std::string& name, int64_t quota, const std::string& parent = "") {
  QueueSettings queue{.name = name, .parent = parent};
  queue.quota = {.cpus = quota, .gpus = std::nullopt};
  return queue;
}

inline std::vector<uint64_t> Ids(const std::vector<JobId>& jobs) {
  std::vector<uint64_t> ids;
  for (JobId job : jobs) ids.push_back(job.value);
  return ids;
}

inline std::vector<uint64_t> Placed(const core::Plan& plan) {
  std::vector<uint64_t> ids;
  for (const Placement& placement : plan.placements) ids.push_back(placement.job.value);
  return ids;
}

inline std::vector<uint64_t> Victims(const core::Plan& plan) {
  std::vector<uint64_t> ids;
  for (const Preemption& each : plan.preemptions) ids.push_back(each.victim.value);
  return ids;
}

inline const Why& WhyOf(const core::Plan& plan, uint64_t id) {
  for (const Why& why : plan.why) {
    if (why.job == JobId(id)) return why;
  }
  static const Why kNothing{.job = JobId(0), .text = "nothing is said"};
  return kNothing;
}

inline int64_t MinutesUntil(base::Time at) {
  return (at - PlannerWorld::kNow).count() / 60'000'000;
}

// -1: not known.
inline int64_t MinutesUntilStart(const Why& why) {
  return why.starts ? MinutesUntil(*why.starts) : -1;
}

// "j1 in 40 min"; empty: not known.
inline std::string NextOf(const Why& why) {
  if (!why.next) return "";
  return base::ToString(why.next->job) + " in " + std::to_string(MinutesUntil(why.next->at)) +
         " min";
}

}  // namespace coxswain::fakes
