// When there will be room: who ends when.
#include <algorithm>

#include "common/base/duration_text.h"
#include "coordinator/core/placement/gang_fit.h"
#include "coordinator/core/scheduling/room_finder.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

constexpr std::ptrdiff_t kEndsToLookAt = 64;

}  // namespace

Promise RoomFinder::Forecast(const WaitingJob& job, const PendingJob& needs, const Before& before) {
  Promise promise;
  const std::optional<base::Time> allowed = OnceAllowed(job, needs, before);
  const bool waits = WaitForEnds(job, needs, false, &promise);
  if (waits) WillRun(job, promise.starts);
  if (allowed && (!promise.starts || *allowed < *promise.starts)) {
    promise.starts = allowed;
    promise.text.clear();
    promise.behind.clear();
  }
  return promise;
}

std::optional<base::Time> RoomFinder::ForecastInGap(const WaitingJob& job,
                                                    const PendingJob& needs) {
  const std::optional<base::Duration> expected = in_.expected(job.id);
  if (!expected || !in_.settings->backfill) return std::nullopt;
  Enders gone;
  std::optional<base::Time> starts;
  for (const RunningJob* each : BySoonestEnd()) {
    const std::optional<base::Time> at = EndOf(*each);
    if (!at || std::ssize(gone) == kEndsToLookAt) break;
    LetGo(*each, 1);
    gone.push_back(each);
    std::vector<JobId> later;
    for (const Reservation& other : reservations_) {
      if (other.starts && *other.starts >= *at + *expected) later.push_back(other.job);
    }
    for (JobId other : later) Lift(other, 1);
    if (HasRoom(job, needs)) {
      starts = at;
      Keep(job, needs, at, gone, false);
    }
    for (JobId other : later) Lift(other, -1);
    if (starts) break;
  }
  for (const RunningJob* each : gone) LetGo(*each, -1);
  if (starts) WillRun(job, starts);
  return starts;
}

// From then on it is one of those that will let go.
void RoomFinder::WillRun(const WaitingJob& job, std::optional<base::Time> starts) {
  RunningJob running{static_cast<const PlannedJob&>(job), in_.now, std::nullopt, false};
  std::optional<base::Duration> expected = starts ? in_.expected(job.id) : std::nullopt;
  if (expected) running.ends = *starts + *expected;
  in_.running.push_back(running);
}

// A limit holds it back, and not that there is no room. Once enough have ended it has the slots of
// those that yield to it, or that are kept for one behind it.
std::optional<base::Time> RoomFinder::OnceAllowed(const WaitingJob& job, const PendingJob& needs,
                                                  const Before& before) {
  auto barred = [&] {
    return in_.tree->OverLimit(job.queue, job.demand) ||
           in_.tree->OverUserLimit(job.queue, job.user, job.demand);
  };
  if (!barred()) return std::nullopt;
  std::vector<const RunningJob*> gone;
  std::optional<base::Time> at;
  for (const RunningJob* each : BySoonestEnd()) {
    if (placed_.contains(each->id)) continue;
    at = EndOf(*each);
    if (!at || std::ssize(gone) == kEndsToLookAt) break;
    LetGo(*each, 1);
    gone.push_back(each);
    if (!barred()) break;
  }
  const bool allowed = at && !barred();
  std::vector<JobId> lifted;
  for (const Reservation& each : allowed ? reservations_ : std::vector<Reservation>()) {
    Lift(each.job, 1);
    lifted.push_back(each.job);
    if (before(each.job)) continue;
    Lift(each.job, -1);
    lifted.pop_back();
  }
  for (const RunningJob* each : gone) placed_.insert(each->id);  // nobody is asked twice
  if (allowed && !HasRoom(job, needs)) {
    const std::optional<std::vector<Victim>> chosen = Choose(job, needs);
    base::Duration longest{};
    for (const Victim& each : chosen.value_or(std::vector<Victim>())) {
      longest = std::max(longest, each.job->stop_takes);
    }
    at = chosen ? std::optional(*at + longest) : std::nullopt;
  }
  for (const RunningJob* each : gone) {
    placed_.erase(each->id);
    LetGo(*each, -1);
  }
  for (JobId each : lifted) Lift(each, -1);
  return allowed ? at : std::nullopt;
}

// As if it had been promised nothing (1), or again (-1).
void RoomFinder::Lift(JobId promised, int sign) {
  LetGo(in_.running[kept_.at(promised)], true, sign);
}

// The first of these that holds what the job waits for.
std::string RoomFinder::EndNotKnown(Enders::const_iterator from, Enders::const_iterator end,
                                    const WaitingJob& job, const PendingJob& needs) {
  if (std::distance(from, end) > kEndsToLookAt) end = from + kEndsToLookAt;
  const auto found = std::find_if(
      from, end, [&](const RunningJob* each) { return HoldsWanted(*each, job, needs); });
  return found == end ? "" : EndNotKnown(**found);
}

// The end of a job that has not begun is that of a plan, not of something that can be looked at.
std::string RoomFinder::EndNotKnown(const RunningJob& last) const {
  if (IsPromised(last.id)) {
    return "; start not known, as the end of " + in_.name(last.id) + ", which waits too, is not";
  }
  if (placed_.contains(last.id)) {
    return "; start not known, as the end of " + in_.name(last.id) +
           ", which goes before it, is not";
  }
  return "; start not known, as the end of " + in_.name(last.id) + " is not";
}

// When it lets go: a stop takes its grace at most, and less if it is near its end.
std::optional<base::Time> RoomFinder::EndOf(const RunningJob& running) const {
  std::optional<base::Time> at = running.ends;
  if (at) at = std::max(*at, in_.now);
  if (!running.stopping || running.back) return at;
  const base::Time asked = in_.now + running.stop_takes;
  return at ? std::min(*at, asked) : asked;
}

// Those that are known to end soonest first, then by id.
RoomFinder::Enders RoomFinder::BySoonestEnd() {
  for (size_t i = ends_.size(); i < in_.running.size(); ++i) {
    const RunningJob& running = in_.running[i];
    const std::optional<base::Time> at = EndOf(running);
    ends_.push_back({!at, at ? at->us : running.started.us, running.id, i});
  }
  const auto sorted = std::is_sorted_until(ends_.begin(), ends_.end());
  std::sort(sorted, ends_.end());
  std::inplace_merge(ends_.begin(), sorted, ends_.end());
  Enders jobs;
  jobs.reserve(ends_.size());
  for (const Ends& each : ends_) jobs.push_back(&in_.running[std::get<size_t>(each)]);
  return jobs;
}

std::optional<RoomFinder::Barrier> RoomFinder::BarredBy(const WaitingJob& job) const {
  if (auto by = in_.tree->OverUserLimit(job.queue, job.user, job.demand)) return {{*by, true}};
  if (auto by = in_.tree->OverLimit(job.queue, job.demand)) return {{*by, false}};
  return std::nullopt;
}

bool RoomFinder::Counts(const RunningJob& running, const WaitingJob& job, const Barrier& by) const {
  const std::vector<QueueIndex>& path = in_.tree->path(running.queue);
  if (by.of_user && running.user != job.user) return false;
  return std::find(path.begin(), path.end(), by.queue) != path.end();
}

// Of those that hold what the job waits for.
std::optional<Release> RoomFinder::NextRelease(const Enders& order, const WaitingJob& job,
                                               const PendingJob& needs) {
  for (size_t i = 0; i < std::min<size_t>(order.size(), kEndsToLookAt); ++i) {
    const RunningJob& next = *order[i];
    if (!next.ends) return std::nullopt;
    if (next.stopping || !Helps(next, job, needs)) continue;
    return Release{next.id, std::max(*next.ends, in_.now)};
  }
  return std::nullopt;
}

// Until enough have ended, those that are known to end soonest first.
bool RoomFinder::WaitForEnds(const WaitingJob& job, const PendingJob& needs, bool spares,
                             Promise* promise) {
  Enders order = BySoonestEnd();
  const std::optional<Release> next = NextRelease(order, job, needs);
  const std::optional<Barrier> barred = BarredBy(job);
  const auto known = std::find_if(order.begin(), order.end(),
                                  [&](const RunningJob* each) { return !EndOf(*each); });
  // Of those whose end nobody knows it waits for the ones that the limit is about.
  if (barred) {
    std::stable_partition(known, order.end(),
                          [&](const RunningJob* each) { return Counts(*each, job, *barred); });
  }
  auto in_order = [&](size_t i) -> const RunningJob& { return *order[i]; };
  size_t gone = 0;
  auto let_go = [&](size_t count) {
    while (gone < count) LetGo(in_order(gone++), 1);
    while (gone > count) LetGo(in_order(--gone), -1);
    return HasRoom(job, needs);
  };
  // One to which nothing is promised only wants to know when: those whose end is not known tell
  // nothing of that.
  const size_t most = spares ? order.size() : static_cast<size_t>(known - order.begin());
  // The fewest that will do: with more of them gone there is no less room.
  size_t too_few = 0, enough = std::min<size_t>(1, most);
  bool fits = false;
  while (enough > 0 && !(fits = let_go(enough)) && enough < most) {
    too_few = enough;
    enough = std::min(2 * enough, most);
  }
  while (fits && enough - too_few > 1) {
    size_t middle = (too_few + enough) / 2;
    (let_go(middle) ? enough : too_few) = middle;
  }
  if (fits) {
    let_go(enough);
    const RunningJob& last = in_order(gone - 1);
    promise->starts = EndOf(last);
    if (!promise->starts) {
      promise->text = EndNotKnown(last);
    } else if (IsPromised(last.id)) {
      promise->behind = "; " + in_.name(last.id) + ", which waits too, goes before it";
    }
    // Where nobody knows when that is, it collects whatever comes free: with enough of it, it need
    // not wait for them. What is free is of no use to one that a limit holds back.
    spares = spares && (promise->starts || (barred && !barred->of_user));
    // Whoever has let go by then, too: the less is kept of what is free now.
    for (size_t i = gone; spares && promise->starts && i < order.size(); ++i) {
      const std::optional<base::Time> at = EndOf(in_order(i));
      if (!at || *at > *promise->starts) break;
      LetGo(in_order(gone++), 1);
    }
    const auto last_ender = order.begin() + static_cast<std::ptrdiff_t>(gone);
    Keep(job, needs, promise->starts, Enders(order.begin(), last_ender), spares);
  } else if (most < order.size()) {
    promise->text = EndNotKnown(known, order.end(), job, needs);
  }
  for (size_t i = 0; i < gone; ++i) LetGo(in_order(i), -1);
  // One that ends later is not waited for.
  const bool later = next && promise->starts && *promise->starts < next->at;
  if (promise->text.empty() && !later) promise->next = next;
  return fits;
}

}  // namespace coxswain::coordinator::core
