// When the jobs that wait will start, for those to which the plan itself promises nothing.
// Inside scheduling/ only.
#pragma once

#include <map>
#include <vector>

#include "coordinator/core/scheduling/room_finder.h"

namespace coxswain::coordinator::core {

class StartTimes {
 public:
  // All outlive it.
  StartTimes(PlanRequest& request, const Policy& policy, RoomFinder& finder)
      : in_(request), policy_(policy), finder_(finder), running_(request.running.size()) {}

  void Promised(const WaitingJob& job) { promised_[job.id] = &job; }
  // Why it waits is told at this place of plan.why. `tell`: also what it waits for, by the
  // forecast.
  void NotPromised(const WaitingJob& job, size_t at, bool tell) {
    no_promise_.push_back({&job, at, tell});
  }
  // It waits, behind those of before; what the plan says of it comes next in one list or the other.
  void Stands(const WaitingJob& job, const Plan& plan) {
    in_line_.push_back({&job, plan.why.size(), plan.far.size()});
  }
  // When all that can be placed has been. It takes a look at the fleet for each, several times: not
  // for all.
  void Forecast(Plan* plan);
  // Of those about whose start nothing else is known, however many. After RoomFinder::Undo.
  void Estimate(Plan* plan);

 private:
  struct NoPromise {
    const WaitingJob* job;
    size_t at = 0;
    bool tell = false;
  };
  struct InLine {
    const WaitingJob* job;
    size_t why = 0, far = 0;
  };
  bool GoesBefore(const WaitingJob& job, JobId promised) const;

  PlanRequest& in_;
  const Policy& policy_;
  RoomFinder& finder_;
  size_t running_;  // so many of in_.running do; the others are promised something
  std::map<JobId, const WaitingJob*> promised_;
  std::vector<NoPromise> no_promise_;
  std::vector<InLine> in_line_;
};

}  // namespace coxswain::coordinator::core
