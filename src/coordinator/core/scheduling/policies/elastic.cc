// Least attained service, for jobs whose size may move (sizing.h): in order of arrival in two
// levels, by how much slot time a job has had (`las_threshold`). A gang's size says nothing: it can
// be made small. A job that runs makes room for one of the first level only when it has left that
// level itself, and is grown half as eagerly from then on.
#include "coordinator/core/scheduling/policies/policy.h"

namespace coxswain::coordinator::core {
namespace {

constexpr base::Duration kPatience = base::seconds(4 * 3600);

class Elastic : public Policy {
 public:
  explicit Elastic(base::Duration threshold) : threshold_(threshold) {}

  SortKey InQueue(const WaitingJob& job) const override { return {Level(job)}; }
  SortKey BetweenQueues(const WaitingJob& head) const override { return {Level(head)}; }
  bool Yields(const RunningJob& running, const WaitingJob& to) const override {
    return Level(running) == 1 && Level(to) == 0;
  }
  bool KeepsSlotsFor(const WaitingJob& job) const override { return job.waited >= kPatience; }
  double GrowthWeight(const PlannedJob& job) const override { return Level(job) == 0 ? 1 : 0.5; }

 private:
  int64_t Level(const PlannedJob& job) const { return job.slot_time < threshold_ ? 0 : 1; }

  base::Duration threshold_;
};

}  // namespace

std::unique_ptr<Policy> MakeElastic(const SchedulingSettings& settings) {
  return std::make_unique<Elastic>(settings.las_threshold);
}

}  // namespace coxswain::coordinator::core
