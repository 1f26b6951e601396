#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <cmath>

#include "common/base/clock.h"
#include "coordinator/http/events_html.h"
#include "coordinator/http/html_text.h"
#include "coordinator/http/json_views.h"
#include "coordinator/http/pages.h"
#include "coordinator/http/trouble_html.h"

namespace coxswain::coordinator::http {
namespace {

using core::JobState;

constexpr uint32_t kMostShown = 100;
constexpr uint32_t kMostRecent = 10;
constexpr uint32_t kMostEvents = 500;  // many of them saves, and those are put together
constexpr size_t kMostEventLines = 25;
constexpr base::Duration kRecentFailure = std::chrono::hours(24);
// An end that is no success. What the machines did is "wrong now" for a day; what a job did to
// itself is its owner's to look at, and stands with what ended lately.
const std::vector<JobState> kBadEnds = {JobState::kFailed, JobState::kTimeout, JobState::kNodeFail,
                                        JobState::kOutOfMemory};
bool MachinesDidIt(const runtime::JobView& job) {
  return job.record.job.cause == core::Cause::kInfrastructure;
}

// All that the page shows, read at once.
struct Facts {
  base::WallTime now;
  runtime::ServerStatus status;
  std::map<JobState, uint64_t> counts;
  std::vector<runtime::JobView> recovering, running, pending, bad, recent;
  size_t failed = 0;  // in the last day, whoever's fault; without those out of their own time
  std::vector<runtime::NodeView> nodes;
  std::vector<core::EventRow> events;
  std::vector<std::string> queue_warnings;
};

absl::Status ReadJobs(runtime::Api& api, std::vector<JobState> states, uint32_t limit,
                      std::vector<runtime::JobView>& out) {
  store::JobFilter filter;
  filter.states = std::move(states);
  filter.limit = limit;
  auto jobs = api.ListJobs(filter);
  if (jobs.ok()) out = *std::move(jobs);
  return jobs.status();
}

absl::StatusOr<Facts> ReadFacts(runtime::Api& api) {
  Facts f;
  f.now = base::WallNow();
  f.status = api.Status();
  auto counts = api.CountJobs();
  if (!counts.ok()) return counts.status();
  f.counts = *std::move(counts);
  absl::Status status = ReadJobs(api, {JobState::kRecovering}, kMostShown, f.recovering);
  if (status.ok()) status = ReadJobs(api, {JobState::kRunning}, kMostShown, f.running);
  if (status.ok()) status = ReadJobs(api, {JobState::kPending}, kMostShown, f.pending);
  if (status.ok()) status = ReadJobs(api, kBadEnds, kMostShown, f.bad);
  if (status.ok()) {
    status = ReadJobs(api, {JobState::kCompleted, JobState::kCancelled, JobState::kPreempted},
                      kMostRecent, f.recent);
  }
  if (!status.ok()) return status;
  std::erase_if(f.bad, [&f](const runtime::JobView& job) {
    return f.now - job.record.job.ended > kRecentFailure;
  });
  f.failed = std::count_if(f.bad.begin(), f.bad.end(), [](const runtime::JobView& job) {
    return job.record.job.state != JobState::kTimeout;  // it had the time that it was given
  });
  auto own = std::stable_partition(f.bad.begin(), f.bad.end(), MachinesDidIt);
  f.recent.insert(f.recent.end(), std::make_move_iterator(own),
                  std::make_move_iterator(f.bad.end()));
  f.bad.erase(own, f.bad.end());
  std::stable_sort(f.recent.begin(), f.recent.end(), [](const auto& a, const auto& b) {
    return a.record.job.ended > b.record.job.ended;
  });
  if (f.recent.size() > kMostRecent) f.recent.resize(kMostRecent);
  auto nodes = api.ListNodes();
  if (!nodes.ok()) return nodes.status();
  f.nodes = *std::move(nodes);
  auto events = api.ListNewestEvents({}, kMostEvents);
  if (!events.ok()) return events.status();
  f.events = *std::move(events);
  f.queue_warnings = api.ListQueues(f.nodes).warnings;
  return f;
}

std::string Tile(const std::string& number, const std::string& name, const char* kind = "") {
  return absl::StrCat("<li class=\"", kind, "\"><b>", number, "</b> ", name, "</li>");
}

std::string OutOf(uint64_t some, uint64_t all) {
  return CountText(static_cast<int64_t>(some)) + " / " + CountText(static_cast<int64_t>(all));
}

uint64_t Count(const Facts& f, JobState state) {
  auto it = f.counts.find(state);
  return it == f.counts.end() ? 0 : it->second;
}

// " (the newest 100 of 2,000)"; empty: all are shown.
std::string MoreText(size_t shown, uint64_t all) {
  if (all <= shown) return "";
  return absl::StrCat(" <span class=\"dim\">(the newest ", shown, " of ",
                      CountText(static_cast<int64_t>(all)), ")</span>");
}

std::string Tiles(const Facts& f) {
  uint64_t ready = 0, all = 0, slots = 0, free = 0, gpus = 0, used = 0;
  for (const runtime::NodeView& node : f.nodes) {
    if (node.live.left) continue;
    ++all;
    if (!node.live.reachable) continue;
    ++ready;
    slots += node.row->inventory.cpu_slots;
    free += node.live.cpu_slots_free;
    gpus += node.row->inventory.gpus.size();
    used += node.live.gpu_jobs.size();
  }
  const uint64_t recovering = Count(f, JobState::kRecovering);
  const std::string where = ready < all ? " of nodes reachable" : "";
  std::string out = "<ul class=\"tiles\">";
  absl::StrAppend(&out, Tile(CountText(Count(f, JobState::kRunning)), "running"),
                  Tile(CountText(recovering), "recovering", recovering > 0 ? "warn" : ""),
                  Tile(CountText(Count(f, JobState::kPending)), "pending"),
                  Tile(absl::StrCat(f.failed, f.failed == kMostShown ? "+" : ""), "failed in 24 h",
                       f.bad.empty() ? "" : "bad"),
                  Tile(OutOf(ready, all), "nodes reachable", ready < all ? "bad" : ""),
                  Tile(OutOf(slots - std::min(slots, free), slots), "CPU slots used" + where));
  if (gpus > 0) absl::StrAppend(&out, Tile(OutOf(used, gpus), "GPUs used" + where));
  return out + "</ul>";
}

std::string Progress(const runtime::JobView& job, base::WallTime now) {
  if (!job.live.progress) return "<p class=\"why\">" + Escape(ReasonOf(job)) + "</p>";
  const protocol::TrainerProgress& p = *job.live.progress;
  std::string out = "<div class=\"progress\">";
  if (p.total_steps > 0) {
    absl::StrAppend(&out, "<progress max=\"", p.total_steps, "\" value=\"", p.step,
                    "\" aria-label=\"progress\"></progress>");
  }
  absl::StrAppend(&out, "<span>step <b>", CountText(p.step), "</b>",
                  p.total_steps > 0 ? " of " + CountText(p.total_steps) : "", "</span>");
  if (std::isfinite(p.loss)) {
    absl::StrAppend(&out, "<span>loss <b>", NumberText(p.loss), "</b></span>");
  }
  if (p.has_eval && p.eval_accuracy >= 0) {
    absl::StrAppend(&out, "<span>accuracy <b>", absl::StrFormat("%.2f %%", 100 * p.eval_accuracy),
                    "</b></span>");
  }
  if (p.samples_per_second > 0) {
    absl::StrAppend(&out, "<span><b>", NumberText(p.samples_per_second), "</b> samples/s</span>");
  }
  if (job.live.expected_end) {
    absl::StrAppend(&out, "<span><b>", base::AboutText(job.live.expected_end - now),
                    "</b> left</span>");
  }
  return out + "</div>";
}

std::string Running(const Facts& f) {
  const uint64_t all = Count(f, JobState::kRunning);
  const std::string more = MoreText(f.running.size(), all);
  std::string items;
  for (const runtime::JobView& job : f.running) {
    const core::JobRow& row = job.record.job;
    std::string side =
        absl::StrCat(RanksText(job), MaxWorkers(row.request) == 1 ? " rank" : " ranks",
                     ", started ", AgoHtml(row.started, f.now));
    items += ItemHtml(BadgeHtml(row.state), JobTitleHtml(job), side, Progress(job, f.now));
  }
  if (items.empty()) return "<section><h2>Running</h2><p class=\"dim\">No job runs.</p></section>";
  return "<section><h2>Running" + more + "</h2><ul class=\"items\">" + items + "</ul></section>";
}

std::string Pending(const Facts& f) {
  if (f.pending.empty()) return "";
  const std::string more = MoreText(f.pending.size(), Count(f, JobState::kPending));
  std::string items;
  for (auto job = f.pending.rbegin(); job != f.pending.rend(); ++job) {
    items +=
        ItemHtml("", JobTitleHtml(*job), "submitted " + AgoHtml(job->record.job.submitted, f.now),
                 "<p class=\"why\">" + Escape(ReasonOf(*job)) + "</p>");
  }
  return "<section><h2>Pending" + more + "</h2><ul class=\"items\">" + items + "</ul></section>";
}

std::string TookText(base::Duration took) {
  return took < base::seconds(1) ? "took less than 1 s" : "took " + DurationText(took);
}

std::string Ended(const Facts& f) {
  std::string items;
  for (const runtime::JobView& job : f.recent) {
    const core::JobRow& row = job.record.job;
    std::string side = (row.started ? TookText(row.ended - row.started) + ", " : "") + "ended " +
                       AgoHtml(row.ended, f.now);
    bool failed = std::find(kBadEnds.begin(), kBadEnds.end(), row.state) != kBadEnds.end();
    items += ItemHtml(BadgeHtml(row.state), JobTitleHtml(job), side,
                      failed ? "<p class=\"why\">" + Escape(ReasonOf(job)) + "</p>" : "");
  }
  if (items.empty()) return "";
  return "<section><h2>Ended lately</h2><ul class=\"items tight\">" + items + "</ul></section>";
}

}  // namespace

absl::StatusOr<std::string> OverviewPage(runtime::Api& api) {
  absl::StatusOr<Facts> f = ReadFacts(api);
  if (!f.ok()) return f.status();
  std::string main = "<h1 class=\"hidden\">Overview</h1>" + Tiles(*f) +
                     TroubleHtml({.now = f->now,
                                  .nodes = f->nodes,
                                  .recovering = f->recovering,
                                  .all_recovering = Count(*f, JobState::kRecovering),
                                  .running = f->running,
                                  .ended = f->bad,
                                  .queue_warnings = f->queue_warnings}) +
                     Running(*f) + Pending(*f) + Ended(*f);
  if (!f->events.empty()) {
    main += "<section><h2>Events</h2>" + EventsHtml(f->events, f->now, true, kMostEventLines) +
            "</section>";
  }
  return Frame("Overview", "/", &f->status, main);
}

}  // namespace coxswain::coordinator::http
