// Least attained service in two levels, after Tiresias (NSDI'19): nobody has to know how long jobs
// run. A job is in the first level until it has had `las_threshold` of slot time. Within a level
// the smaller gang goes first, then the older. The first level makes the second yield; in the
// second, smaller gangs make larger ones yield.
//
// What yields makes room sooner than slots that are kept idle; they are kept only for a job that
// has waited long, so that small ones cannot starve it.
#include <tuple>

#include "coordinator/core/scheduling/policies/policy.h"

namespace coxswain::coordinator::core {
namespace {

constexpr base::Duration kPatience = base::seconds(4 * 3600);

class Las : public Policy {
 public:
  explicit Las(base::Duration threshold) : threshold_(threshold) {}

  SortKey InQueue(const WaitingJob& job) const override { return KeyOf(job); }
  SortKey BetweenQueues(const WaitingJob& head) const override { return KeyOf(head); }
  bool Yields(const RunningJob& running, const WaitingJob& to) const override {
    return Level(running) == 1 &&
           (Level(to) == 0 ||
            std::tuple(LeastSlots(to), to.id) < std::tuple(LeastSlots(running), running.id));
  }
  bool KeepsSlotsFor(const WaitingJob& job) const override { return job.waited >= kPatience; }

 private:
  int64_t Level(const PlannedJob& job) const { return job.slot_time < threshold_ ? 0 : 1; }
  SortKey KeyOf(const PlannedJob& job) const { return {Level(job), LeastSlots(job)}; }

  base::Duration threshold_;
};

}  // namespace

std::unique_ptr<Policy> MakeLas(const SchedulingSettings& settings) {
  return std::make_unique<Las>(settings.las_threshold);
}

}  // namespace coxswain::coordinator::core
