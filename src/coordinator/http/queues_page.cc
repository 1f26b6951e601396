#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>

#include "common/base/clock.h"
#include "coordinator/http/html_text.h"
#include "coordinator/http/json_views.h"
#include "coordinator/http/pages.h"

namespace coxswain::coordinator::http {
namespace {

constexpr uint32_t kMostWaiting = 100;

// One that does not break: the table scrolls where there is too little room.
std::string Cell(const std::string& html) {
  return absl::StrCat("<td class=\"num\">", html.empty() ? "–" : html, "</td>");
}

std::string BoundHtml(const core::Bound& bound, std::optional<int64_t> jobs = std::nullopt) {
  std::string text = core::BoundText(bound);
  if (jobs) absl::StrAppend(&text, text.empty() ? "" : ", ", *jobs, *jobs == 1 ? " job" : " jobs");
  return Escape(text);
}

// What is held of a kind that anybody bounds or has.
std::string HeldHtml(const core::Amount& held) {
  core::Bound kinds;
  if (held.cpus > 0) kinds.cpus = 0;
  if (held.gpus > 0) kinds.gpus = 0;
  return Escape(core::HeldText(kinds, held));
}

bool Exceeds(const core::Amount& held, const core::Bound& bound) {
  return (bound.cpus && held.cpus > *bound.cpus) || (bound.gpus && held.gpus > *bound.gpus);
}

std::string QueueRow(const core::LiveQueue& queue, size_t depth, bool is_default) {
  std::string indent;
  for (size_t i = 0; i < depth; ++i) indent += "&emsp;";
  std::string name = indent + "<b>" + Escape(queue.settings.name) + "</b>";
  if (is_default) name += " <span class=\"badge\">default</span>";
  if (Exceeds(queue.held, queue.settings.quota)) {
    name += " <span class=\"badge draining\">borrows</span>";
  }
  return absl::StrCat("<tr>", Cell(name), Cell(CountText(static_cast<int64_t>(queue.running))),
                      Cell(CountText(static_cast<int64_t>(queue.pending))),
                      Cell(HeldHtml(queue.held)), Cell(BoundHtml(queue.settings.quota)),
                      Cell(BoundHtml(queue.settings.limit)),
                      Cell(BoundHtml(queue.settings.user_limit, queue.settings.user_jobs)),
                      Cell(CountText(queue.settings.weight)), "</tr>");
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
      absl::StrAppend(&rows, "<tr>", Cell(Escape(queue.settings.name)), Cell(Escape(name)),
                      Cell(CountText(user.running)), Cell(HeldHtml(user.held)),
                      Cell(absl::StrFormat("%.1f %%", 100 * user.share)), "</tr>");
    }
  }
  if (rows.empty()) return "";
  return "<section><h2>Users</h2><div class=\"wide\"><table><thead><tr><th>Queue</th><th>User</th>"
         "<th>Running</th><th>Held</th><th>Used</th></tr></thead><tbody>" +
         rows + "</tbody></table></div></section>";
}

std::string StartHtml(base::WallTime at, base::WallTime now) {
  if (!at) return "start not known";
  if (at <= now) return "starts any moment";
  return "starts in about " + DurationText(at - now);
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
  std::string warnings;
  for (const std::string& text : view.warnings) {
    const auto& banners = status.warnings;  // soon after, they are on every page
    if (std::find(banners.begin(), banners.end(), text) != banners.end()) continue;
    warnings += "<p class=\"why\">" + Escape(text) + "</p>";
  }
  if (!warnings.empty()) {
    warnings = "<section class=\"trouble\"><h2>Wrong now</h2>" + warnings + "</section>";
  }
  std::string main = absl::StrCat(
      "<h1>Queues</h1><p class=\"dim\">Policy ", Escape(view.policy), "</p>", warnings,
      "<section><div "
      "class=\"wide\"><table><thead><tr><th>Queue</th><th>Running</th><th>Pending</th>"
      "<th>Held</th><th>Quota</th><th>Limit</th><th>Of one user</th><th>Weight</th></tr></thead>"
      "<tbody>",
      RowsBelow(view, "", 0), "</tbody></table></div></section>", Users(view),
      Waiting(*waiting, base::WallNow()));
  return Frame("Queues", "/queues", &status, main);
}

}  // namespace coxswain::coordinator::http
