#include "coordinator/core/scheduling/backlog.h"

#include <algorithm>

namespace coxswain::coordinator::core {
namespace {

double Seconds(base::Duration time) { return static_cast<double>(time.count()) / 1e6; }

}  // namespace

void Backlog::Work::Add(double slots, std::optional<base::Duration> time) {
  all = all && time;
  if (time) known += slots * std::max(0.0, Seconds(*time));
}

Backlog::Backlog(const PlanRequest& request) : in_(request) {
  for (const auto& [id, node] : *in_.fleet) {
    if (!node.why_not.empty()) continue;
    capacity_ += SlotsOf({node.cpus, static_cast<int64_t>(node.gpus.size())});
  }
  for (const RunningJob& job : in_.running) {
    std::optional<base::Duration> left;
    if (job.ends) left = *job.ends - in_.now;
    if (job.stopping && !job.back) left = job.stop_takes;
    Count(job, left);
  }
}

double Backlog::SlotsOf(const Amount& amount) const {
  return static_cast<double>(std::max(amount.cpus, amount.gpus * in_.settings->slots_per_gpu));
}

void Backlog::Count(const PlannedJob& job, std::optional<base::Duration> time) {
  const double slots = SlotsOf(job.demand);
  work_.Add(slots, time);
  for (QueueIndex queue : in_.tree->path(job.queue)) {
    const Bound& limit = in_.tree->settings(queue).limit;
    if (limit.cpus || limit.gpus) limited_[queue].Add(slots, time);
  }
}

void Backlog::Add(const WaitingJob& job) { Count(job, in_.expected(job.id)); }

std::optional<base::Time> Backlog::Start(const WaitingJob& job) const {
  if (!work_.all || capacity_ <= 0) return std::nullopt;
  double seconds = work_.known / capacity_;
  for (QueueIndex queue : in_.tree->path(job.queue)) {
    auto found = limited_.find(queue);
    if (found == limited_.end()) continue;
    const Bound& limit = in_.tree->settings(queue).limit;
    const double slots = SlotsOf({limit.cpus.value_or(0), limit.gpus.value_or(0)});
    if (slots > 0) seconds = std::max(seconds, found->second.known / slots);
  }
  constexpr double kLongest = 10.0 * 365 * 24 * 3600;
  if (seconds > kLongest) return std::nullopt;
  return in_.now + base::Duration(static_cast<int64_t>(seconds * 1e6));
}

}  // namespace coxswain::coordinator::core
