// Least attained service in two levels, after Tiresias (NSDI'19): nobody has to know how long jobs
// run. Within a level the smaller gang goes first, then the older. The first level makes the second
// yield; in the second, smaller gangs make larger ones yield.
#include <tuple>

#include "coordinator/core/scheduling/policies/service_levels.h"

namespace coxswain::coordinator::core {
namespace {

class Las : public ServiceLevels {
 public:
  using ServiceLevels::ServiceLevels;

  SortKey InQueue(const WaitingJob& job) const override { return {Level(job), LeastSlots(job)}; }
  bool Yields(const RunningJob& running, const WaitingJob& to) const override {
    return Level(running) == 1 &&
           (Level(to) == 0 ||
            std::tuple(LeastSlots(to), to.id) < std::tuple(LeastSlots(running), running.id));
  }
};

}  // namespace

std::unique_ptr<Policy> MakeLas(const SchedulingSettings& settings) {
  return std::make_unique<Las>(settings.las_threshold);
}

}  // namespace coxswain::coordinator::core
