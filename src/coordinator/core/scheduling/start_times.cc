#include "coordinator/core/scheduling/start_times.h"

#include <algorithm>
#include <bit>
#include <set>

#include "coordinator/core/scheduling/backlog.h"

namespace coxswain::coordinator::core {
namespace {

constexpr size_t kMostForecasts = 64;
constexpr size_t kMostWork = 200'000;  // nodes that are looked at

}  // namespace

void StartTimes::Forecast(Plan* plan) {
  const size_t work =
      in_.fleet->size() * static_cast<size_t>(std::bit_width(in_.running.size() + 2));
  size_t most = std::max<size_t>(1, kMostWork / std::max<size_t>(1, work));
  most = std::min(most, kMostForecasts);
  for (const NoPromise& each : no_promise_) {
    if (!each.tell && !in_.estimate) continue;
    if (most-- == 0) return;
    Why& why = plan->why[each.at];
    PendingJob needs = in_.needs(each.job->id);
    needs.ranks = each.job->workers;
    if (!each.tell) why.starts = finder_.ForecastInGap(*each.job, needs);
    if (why.starts) {
      Promised(*each.job);
      continue;
    }
    const Promise promise = finder_.Forecast(
        *each.job, needs, [&](JobId promised) { return GoesBefore(*each.job, promised); });
    Promised(*each.job);
    why.starts = promise.starts;
    if (!each.tell) continue;
    why.text += promise.text + promise.behind;
    why.next = promise.next;
  }
}

bool StartTimes::GoesBefore(const WaitingJob& job, JobId promised) const {
  const auto other = promised_.find(promised);
  return other != promised_.end() &&
         KeyOf(job, *in_.tree, policy_) < KeyOf(*other->second, *in_.tree, policy_);
}

void StartTimes::Estimate(Plan* plan) {
  in_.running.resize(running_);
  Backlog backlog(in_);
  std::set<JobId> placed;
  for (const Placement& each : plan->placements) placed.insert(each.job);
  for (const WaitingJob& job : in_.waiting) {
    if (placed.contains(job.id)) backlog.Add(job);
  }
  for (const InLine& each : in_line_) {
    if (each.far < plan->far.size() && plan->far[each.far].job == each.job->id) {
      plan->far[each.far].starts = backlog.Start(*each.job);
    } else if (each.why < plan->why.size()) {
      Why& why = plan->why[each.why];
      if (!why.starts && !why.first) why.starts = backlog.Start(*each.job);
    }
    backlog.Add(*each.job);
  }
}

}  // namespace coxswain::coordinator::core
