#include "coordinator/core/run_times.h"

namespace coxswain::coordinator::core {
namespace {

constexpr size_t kRunTimes = 4096;

std::string KeyOf(const std::string& user, const std::string& name) { return user + "\n" + name; }

}  // namespace

Duration WholeRun(const Soft& soft, const JobRow& job) {
  if (job.request.expected_time.count() > 0) return job.request.expected_time;
  auto learnt = soft.run_times.find(KeyOf(job.submitted_by, job.request.name));
  return learnt != soft.run_times.end() ? learnt->second : job.request.time_limit;
}

std::optional<Remaining> RemainingOf(const Soft& soft, const JobRow& job) {
  const JobSoft& of_job = soft.jobs.at(job.id);
  if (of_job.progress && of_job.progress->remaining_ms >= 0) {
    return Remaining{base::milliseconds(of_job.progress->remaining_ms), true};
  }
  Duration whole = WholeRun(soft, job);
  if (whole.count() <= 0) return std::nullopt;
  return Remaining{std::max(Duration{0}, whole - job.ran), false};
}

void LearnRunTime(Soft* soft, const std::string& user, const std::string& name, Duration ran) {
  if (soft->run_times.size() >= kRunTimes) soft->run_times.clear();
  Duration& known = soft->run_times[KeyOf(user, name)];
  known = known.count() == 0 ? ran : (known * 3 + ran) / 4;
}

}  // namespace coxswain::coordinator::core
