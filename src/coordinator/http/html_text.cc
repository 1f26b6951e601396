#include "coordinator/http/html_text.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <ctime>

#include "common/base/clock.h"
#include "coordinator/http/pages.h"

namespace coxswain::coordinator::http {
namespace {

std::string Utc(base::WallTime time, const char* format) {
  std::time_t seconds = static_cast<std::time_t>(time.us / 1'000'000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[40];
  size_t n = std::strftime(text, sizeof(text), format, &parts);
  return std::string(text, n);
}

std::string Badge(const std::string& kind, const std::string& text) {
  return "<span class=\"badge " + kind + "\">" + Escape(text) + "</span>";
}

std::string Banners(const runtime::ServerStatus& status) {
  std::string out;
  if (!status.writable || !status.ready) {
    out += "<p class=\"banner bad\" role=\"alert\"><b>Read-only.</b> " + Escape(status.why_not) +
           "</p>";
  }
  for (const std::string& warning : status.warnings) {
    out += "<p class=\"banner warn\">" + Escape(warning) + "</p>";
  }
  return out;
}

}  // namespace

std::string Escape(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 16);
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? ' ' : c;
    }
  }
  return out;
}

std::string DurationText(base::Duration duration) {
  return base::DurationText(std::chrono::floor<base::seconds>(duration));
}

std::string AgoHtml(base::WallTime time, base::WallTime now) {
  if (!time) return "–";
  return absl::StrCat("<time datetime=\"", Utc(time, "%Y-%m-%dT%H:%M:%SZ"), "\" title=\"",
                      Utc(time, "%Y-%m-%d %H:%M:%S UTC"), "\">", DurationText(now - time),
                      " ago</time>");
}

const char* CauseName(core::Cause cause) {
  static constexpr const char* kNames[] = {"NONE",          "USER",       "INFRASTRUCTURE",
                                           "OUT_OF_MEMORY", "TIME_LIMIT", "CANCELLED",
                                           "PREEMPTED",     "RESIZED"};
  return kNames[static_cast<size_t>(cause) % std::size(kNames)];
}

std::string CauseText(core::Cause cause, protocol::FailureKind kind) {
  if (cause == core::Cause::kNone) return "";
  std::string text = CauseName(cause);
  const std::string what = kind == protocol::FailureKind::kNone ? text : protocol::ToString(kind);
  return what == text ? text : text + " (" + what + ")";
}

std::string WhyHtml(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += "<p class=\"why\">" + Escape(text) + "</p>";
  return out;
}

std::vector<std::string> GpuTroubles(const protocol::Inventory& inventory) {
  std::vector<std::string> texts;
  for (const protocol::GpuInfo& gpu : inventory.gpus) {
    if (gpu.available) continue;
    texts.push_back(absl::StrCat("GPU ", gpu.index, " is not given out: ", gpu.why_not));
  }
  return texts;
}

std::string FactHtml(const std::string& name, const std::string& html) {
  return "<div><dt>" + name + "</dt><dd>" + html + "</dd></div>";
}

std::string BadgeHtml(core::JobState state) {
  return Badge(absl::AsciiStrToLower(core::ToString(state)), core::ToString(state));
}

std::string NodeBadgeHtml(const std::string& state) {
  return Badge(absl::AsciiStrToLower(state), state);
}

std::string JobLink(core::JobId id, std::string_view text) {
  return absl::StrCat("<a href=\"/jobs/", base::ToString(id), "\">", Escape(text), "</a>");
}

std::string Frame(const std::string& title, std::string_view active,
                  const runtime::ServerStatus* status, const std::string& main) {
  auto tab = [active](std::string_view path, const char* text) {
    return absl::StrCat("<a href=\"", std::string(path), "\"",
                        path == active ? " aria-current=\"page\"" : "", ">", text, "</a>");
  };
  std::string facts;
  if (status != nullptr) {
    facts = absl::StrCat("cluster ", Escape(status->cluster.value), " · term ", status->term.value,
                         " · ", Escape(status->version), " · up ",
                         DurationText(base::WallNow() - status->started));
  }
  return absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
      "<meta name=\"color-scheme\" content=\"light dark\"><title>",
      Escape(title),
      " · Coxswain</title><link rel=\"stylesheet\" href=\"/style.css\">"
      "<noscript><meta http-equiv=\"refresh\" content=\"10\"></noscript>"
      "<script src=\"/refresh.js\" defer></script></head>\n<body><header><a class=\"brand\" "
      "href=\"/\">Coxswain</a><nav>",
      tab("/", "Overview"), tab("/nodes", "Nodes"), tab("/queues", "Queues"),
      "</nav><span id=\"live\" role=\"status\">as of ", Utc(base::WallNow(), "%H:%M:%S UTC"),
      "</span></header>\n<main>", status == nullptr ? "" : Banners(*status), main, "\n<footer>",
      facts, "</footer></main></body></html>\n");
}

std::string ErrorPage(const std::string& text) {
  return Frame("Not shown", "", nullptr,
               "<section><h1>Not shown</h1><p>" + Escape(text) +
                   "</p><p><a href=\"/\">Back to the overview</a></p></section>");
}

absl::StatusOr<core::JobState> StateOf(const std::string& name) {
  std::string all;
  for (int s = 1; s <= static_cast<int>(core::JobState::kOutOfMemory); ++s) {
    auto state = static_cast<core::JobState>(s);
    if (name == core::ToString(state)) return state;
    absl::StrAppend(&all, all.empty() ? "" : ", ", core::ToString(state));
  }
  return absl::InvalidArgumentError("state: expected one of " + all + ", found '" + name + "'");
}

}  // namespace coxswain::coordinator::http
