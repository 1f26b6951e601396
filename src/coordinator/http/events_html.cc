#include "coordinator/http/events_html.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <map>

#include "coordinator/http/html_text.h"

namespace coxswain::coordinator::http {
namespace {

constexpr ptrdiff_t kFewSaves = 2, kFewAlike = 3;  // so many stand as they are
constexpr ptrdiff_t kMostOpened = 30;

using Newer = std::vector<core::EventRow>::const_reverse_iterator;

// What saves without trouble write: many, and all alike.
bool IsSave(const core::EventRow& event) {
  return event.kind.starts_with("Checkpoint") && event.severity == "info";
}

std::string RowHtml(const core::EventRow& event, base::WallTime now, bool with_job) {
  std::string about;
  if (with_job && event.job) about = JobLink(event.job, base::ToString(event.job)) + " ";
  return absl::StrCat("<li class=\"", Escape(event.severity), "\"><span class=\"when\">",
                      AgoHtml(event.time, now), "</span><span class=\"what\"><b>",
                      Escape(event.kind), "</b> ", about, Escape(event.text), "</span></li>");
}

// Saves that follow one another as one row that opens: "Checkpoints: 12 committed, 11 verified".
std::string SavesHtml(Newer first, Newer end, base::WallTime now, bool with_job) {
  std::map<std::string, int64_t> counts;  // by kind, without "Checkpoint"
  std::string rows;
  for (auto event = first; event != end; ++event) {
    ++counts[event->kind.substr(sizeof("Checkpoint") - 1)];
    if (event - first < kMostOpened) rows += RowHtml(*event, now, with_job);
  }
  if (end - first > kMostOpened) {
    rows +=
        "<li class=\"info\"><span class=\"what\">those before: <code>cox events --kind "
        "Checkpoint</code></span></li>";
  }
  std::string text;
  for (const auto& [kind, count] : counts) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", CountText(count), " ",
                    Escape(absl::AsciiStrToLower(kind)));
  }
  return absl::StrCat("<li class=\"info\"><span class=\"when\">", AgoHtml(first->time, now),
                      "</span><span class=\"what\"><details id=\"saves-", std::prev(end)->seq.value,
                      "\"><summary>Checkpoints: ", text, "</summary><ol class=\"events\">", rows,
                      "</ol></details></span></li>");
}

// Of one kind: the newest as it is, the others in one row that opens.
std::string AlikeHtml(Newer first, Newer end, base::WallTime now, bool with_job) {
  std::string rows;
  const Newer second = std::next(first);
  for (auto event = second; event != end && event - second < kMostOpened; ++event) {
    rows += RowHtml(*event, now, with_job);
  }
  if (end - second > kMostOpened) {
    absl::StrAppend(&rows,
                    "<li class=\"info\"><span class=\"what\">those before: <code>cox events ",
                    "--kind ", Escape(first->kind), "</code></span></li>");
  }
  return absl::StrCat(RowHtml(*first, now, with_job), "<li class=\"", Escape(first->severity),
                      "\"><span class=\"when\">", AgoHtml(second->time, now),
                      "</span><span class=\"what\"><details id=\"alike-", std::prev(end)->seq.value,
                      "\"><summary>", CountText(end - second), " more ", Escape(first->kind),
                      "</summary><ol class=\"events\">", rows, "</ol></details></span></li>");
}

}  // namespace

std::string EventsHtml(const std::vector<core::EventRow>& events, base::WallTime now, bool with_job,
                       size_t most) {
  std::string rows;
  for (Newer event = events.rbegin(); event != events.rend() && most > 0; --most) {
    Newer end = std::find_if_not(event, events.rend(), IsSave);
    const Newer alike = std::find_if_not(event, events.rend(), [&](const core::EventRow& other) {
      return other.kind == event->kind && other.severity == event->severity;
    });
    if (end - event > kFewSaves) {
      rows += SavesHtml(event, end, now, with_job);
      event = end;
    } else if (alike - event > kFewAlike) {
      rows += AlikeHtml(event, alike, now, with_job);
      event = alike;
    } else {
      rows += RowHtml(*event++, now, with_job);
    }
  }
  return "<ol class=\"events\">" + rows + "</ol>";
}

}  // namespace coxswain::coordinator::http
