// Least attained service, for jobs whose size may move (sizing.h): in order of arrival in two
// levels (service_levels.h). A gang's size says nothing: it can
// be made small. A job that runs makes room for one of the first level only when it has left that
// level itself, and is grown half as eagerly from then on.
#include "coordinator/core/scheduling/policies/service_levels.h"

namespace coxswain::coordinator::core {
namespace {

class Elastic : public ServiceLevels {
 public:
  using ServiceLevels::ServiceLevels;

  SortKey InQueue(const WaitingJob& job) const override { return {Level(job)}; }
  bool Yields(const RunningJob& running, const WaitingJob& to) const override {
    return Level(running) == 1 && Level(to) == 0;
  }
  double GrowthWeight(const PlannedJob& job) const override { return Level(job) == 0 ? 1 : 0.5; }
};

}  // namespace

std::unique_ptr<Policy> MakeElastic(const SchedulingSettings& settings) {
  return std::make_unique<Elastic>(settings.las_threshold);
}

}  // namespace coxswain::coordinator::core
