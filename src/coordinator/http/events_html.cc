#include "coordinator/http/events_html.h"

#include <absl/strings/str_cat.h>

#include "coordinator/http/html_text.h"

namespace coxswain::coordinator::http {

std::string EventsHtml(const std::vector<core::EventRow>& events, base::WallTime now,
                       bool with_job) {
  std::string rows;
  for (auto event = events.rbegin(); event != events.rend(); ++event) {
    std::string about;
    if (with_job && event->job) about = JobLink(event->job, base::ToString(event->job)) + " ";
    absl::StrAppend(&rows, "<li class=\"", Escape(event->severity), "\"><span class=\"when\">",
                    AgoHtml(event->time, now), "</span><span class=\"what\"><b>",
                    Escape(event->kind), "</b> ", about, Escape(event->text), "</span></li>");
  }
  return "<ol class=\"events\">" + rows + "</ol>";
}

}  // namespace coxswain::coordinator::http
