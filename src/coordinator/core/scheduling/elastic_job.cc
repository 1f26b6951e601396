#include "coordinator/core/scheduling/elastic_job.h"

#include <algorithm>

#include "common/base/duration_text.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

// A pause for slots that nobody waits for costs the job more than it saves, unless it runs long.
constexpr int64_t kGiveBackAfter = 12;

base::Duration Pause(const ElasticJob& job, const PlanRequest& in) {
  constexpr uint32_t kMostDoublings = 6;
  const base::Duration once = in.settings->resize_after * (job.gives_back ? kGiveBackAfter : 1);
  return once * (int64_t{1} << std::min(job.running->vain, kMostDoublings));
}

// Of those that are looked at next, the fastest.
uint32_t FastestNext(const ElasticJob& job, uint32_t now) {
  uint32_t best = std::min(now + 1, job.job->most);
  for (uint32_t more = 1; now + more <= job.job->most && more <= now; more *= 2) {
    if (job.Goodput(now + more) > job.Goodput(best)) best = now + more;
  }
  return best;
}

std::string FasterText(const ElasticJob& job, uint32_t workers) {
  const double times = job.Goodput(workers) / job.Goodput(job.job->workers);
  return std::to_string(workers) + " would be " + TimesText(times) + " as fast";
}

std::string NotYetText(const ElasticJob& job, const PlanRequest& in) {
  const std::string after = base::DurationText(Pause(job, in)) + " after its last start";
  if (job.running->vain == 0) return "; no change sooner than " + after;
  return "; paused until " + after + ", as " +
         (job.running->lost_steps ? "it could not save when it let go, and lost its steps"
                                  : "there was no room for the size that it let go for") +
         (job.running->vain == 1 ? "" : ", " + Plural(job.running->vain, "time") + " in a row");
}

}  // namespace

double ElasticJob::Goodput(uint32_t ranks) const {
  if (!model.known()) return ranks;
  return model.Best((ranks + on_node - 1) / on_node, ranks).goodput;
}

ElasticJob::Step ElasticJob::Next() const {
  Step best;
  const double now = Goodput(workers);
  const double of_one = Goodput(job->least) / job->least;
  if (!(of_one > 0)) return best;
  for (uint32_t more = 1; workers + more <= most; more *= 2) {
    const double gain = (Goodput(workers + more) - now) / more / of_one;
    if (gain > best.gain) best = {gain, workers + more};
  }
  return best.gain < kLeastGain ? Step() : best;
}

uint32_t ElasticJob::NearlyAsFast(uint32_t least) const {
  const uint32_t now = job->workers;
  const double of_one = Goodput(job->least) / job->least;
  const std::vector<uint32_t>& sizes = model.sizes();
  if (!(of_one > 0) || !std::binary_search(sizes.begin(), sizes.end(), now)) return 0;
  for (uint32_t size : sizes) {
    if (size < least || size >= now) continue;
    const double more = Goodput(now) - Goodput(size);
    const bool little = more / (now - size) / of_one < kLeastGain;
    if (little && Goodput(now) < kNearly * Goodput(size)) return size;
  }
  return 0;
}

base::Time MayChangeAt(const ElasticJob& job, const PlanRequest& in) {
  return job.running->started + Pause(job, in);
}

std::string WhySize(const ElasticJob& job, const PlanRequest& in, bool wait) {
  const uint32_t now = job.job->workers;
  const std::string head = std::to_string(now) + " of " + std::to_string(job.job->least) + ".." +
                           std::to_string(job.job->most) + " ranks: ";
  if (now >= job.job->most) return head + "it may have no more";
  if (!job.model.known()) return head + "its steps are not measured yet";
  if (job.gives_back) return head + "fewer would be nearly as fast" + NotYetText(job, in);
  if (job.wanted > now) {
    const double times = job.Goodput(job.wanted) / job.Goodput(now);
    const std::string faster = head + FasterText(job, job.wanted);
    if (in.now < MayChangeAt(job, in)) return faster + NotYetText(job, in);
    if (times < kWorth) return faster + ", below " + TimesText(kWorth) + ": not worth the pause";
    return faster;
  }
  if (job.no_more == NoMore::kLimit) return head + "its queue or its user may hold no more";
  if (job.no_more == NoMore::kNoSlots) {
    return head + (wait ? "others wait for slots" : "no slots are free for more");
  }
  if (job.bound <= now) {
    const uint32_t tried = job.model.measured();
    if (now < kGrowth * tried) return head + "where it may run there is no room for more";
    return head + "it was measured on " + std::to_string(tried) + " at most, and not on these yet";
  }
  const uint32_t next = FastestNext(job, now);
  const double times = job.Goodput(next) / job.Goodput(now);
  return head + FasterText(job, next) + (times < kWorth ? ", below " + TimesText(kWorth) : "");
}

}  // namespace coxswain::coordinator::core
