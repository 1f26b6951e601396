#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include "common/base/clock.h"
#include "coordinator/core/scheduling/usage.h"
#include "coordinator/http/html_text.h"
#include "coordinator/http/json_views.h"
#include "coordinator/http/pages.h"
#include "coordinator/http/table_html.h"

namespace coxswain::coordinator::http {
namespace {

constexpr uint32_t kMostWaiting = 100;

constexpr Columns<10> kQueueColumns = {{{{"Queue"},
                                         {"Running"},
                                         {"Pending"},
                                         {"Held"},
                                         {"Quota"},
                                         {"Limit"},
                                         {"Of one user"},
                                         {"Weight"},
                                         {"Used"},
                                         {"Fair"}}}};
constexpr Columns<5> kUserColumns = {{{{"Queue"}, {"User"}, {"Running"}, {"Held"}, {"Used"}}}};

std::string BoundHtml(const core::Bound& bound, std::optional<int64_t> jobs = std::nullopt) {
  std::string text = core::BoundText(bound);
  if (jobs) absl::StrAppend(&text, text.empty() ? "" : ", ", *jobs, *jobs == 1 ? " job" : " jobs");
  return Escape(text);
}

std::string HeldHtml(const core::Amount& held) {
  return Escape(base::HeldText(held.cpus, held.gpus));
}

bool Exceeds(const core::Amount& held, const core::Bound& bound) {
  return (bound.cpus && held.cpus > *bound.cpus) || (bound.gpus && held.gpus > *bound.gpus);
}

std::string SlotHoursText(int64_t amount) {
  return NumberText(core::SlotHours(amount)) + " slot-h";
}

std::string QueueRow(const core::LiveQueue& queue, size_t depth, bool is_default) {
  std::string indent;
  for (size_t i = 0; i < depth; ++i) indent += "&emsp;";
  std::string name = indent + "<b>" + Escape(queue.settings.name) + "</b>";
  if (is_default) name += " <span class=\"badge\">default</span>";
  if (Exceeds(queue.held, queue.settings.quota)) {
    name += " <span class=\"badge draining\">borrows</span>";
  }
  return kQueueColumns.Row({name, CountText(static_cast<int64_t>(queue.running)),
                            CountText(static_cast<int64_t>(queue.pending)), HeldHtml(queue.held),
                            BoundHtml(queue.settings.quota), BoundHtml(queue.settings.limit),
                            BoundHtml(queue.settings.user_limit, queue.settings.user_jobs),
                            CountText(queue.settings.weight), SlotHoursText(queue.used),
                            SlotHoursText(queue.fair)});
}

// Every queue after the one that it is a part of.
std::string RowsBelow(const runtime::QueuesView& view, const std::string& parent, size_t depth) {
  std::string rows;
  if (depth >= core::kMostQueueLevels) return rows;
  for (const core::LiveQueue& queue : view.queues) {
    if (queue.settings.parent != parent) continue;
    absl::StrAppend(&rows, QueueRow(queue, depth, queue.settings.name == view.default_queue),
                    RowsBelow(view, queue.settings.name, depth + 1));
  }
  return rows;
}

std::string Users(const runtime::QueuesView& view) {
  std::string rows;
  for (const core::LiveQueue& queue : view.queues) {
    for (const auto& [name, user] : queue.users) {
      rows += kUserColumns.Row({Escape(queue.settings.name), Escape(name), CountText(user.running),
                                HeldHtml(user.held), absl::StrFormat("%.1f %%", 100 * user.share)});
    }
  }
  if (rows.empty()) return "";
  return "<section><h2>Users</h2>" + kUserColumns.Table(rows) + "</section>";
}

std::string StartHtml(base::WallTime at, base::WallTime now) {
  if (!at) return "start not known";
  return "starts " + base::InText(at - now);
}

std::string Waiting(const std::vector<runtime::JobView>& jobs, base::WallTime now) {
  std::string items;
  for (auto job = jobs.rbegin(); job != jobs.rend(); ++job) {
    const core::JobRow& row = job->record.job;
    absl::StrAppend(&items, "<li><div class=\"line\"><span class=\"title\">",
                    JobLink(row.id, row.request.name), " <span class=\"dim\">",
                    base::ToString(row.id), ", ", Escape(row.request.queue), "</span></span>",
                    "<span class=\"side\">", StartHtml(job->live.expected_start, now),
                    ", submitted ", AgoHtml(row.submitted, now), "</span></div><p class=\"why\">",
                    Escape(ReasonOf(*job)), "</p></li>");
  }
  if (items.empty()) return "<section><h2>Waiting</h2><p class=\"dim\">No job waits.</p></section>";
  const std::string more =
      jobs.size() < kMostWaiting
          ? ""
          : absl::StrCat(" <span class=\"dim\">(the newest ", kMostWaiting, ")</span>");
  return "<section><h2>Waiting" + more + "</h2><ul class=\"items\">" + items + "</ul></section>";
}

}  // namespace

absl::StatusOr<std::string> QueuesPage(runtime::Api& api) {
  store::JobFilter pending;
  pending.states = {core::JobState::kPending};
  pending.limit = kMostWaiting;
  auto waiting = api.ListJobs(pending);
  if (!waiting.ok()) return waiting.status();
  const runtime::QueuesView view = api.ListQueues();
  const runtime::ServerStatus status = api.Status();
  std::string warnings = WhyHtml(view.warnings);
  if (!warnings.empty()) {
    warnings = "<section class=\"trouble\"><h2>Wrong now</h2>" + warnings + "</section>";
  }
  std::string main =
      absl::StrCat("<h1>Queues</h1><p class=\"dim\">Policy ", Escape(view.policy), "</p>", warnings,
                   "<section class=\"broad\">", kQueueColumns.Table(RowsBelow(view, "", 0)),
                   "</section>", Users(view), Waiting(*waiting, base::WallNow()));
  return Frame("Queues", "/queues", &status, main);
}

}  // namespace coxswain::coordinator::http
