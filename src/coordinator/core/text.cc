#include "coordinator/core/text.h"

#include <algorithm>
#include <cmath>

#include "common/base/byte_text.h"
#include "common/base/duration_text.h"

namespace coxswain::coordinator::core {
namespace {

// An estimate is no better than that.
constexpr base::Duration kMayBeLate = base::seconds(10);

std::string AboutUntil(base::WallTime expected, base::WallTime now) {
  return base::AboutText(std::max(base::Duration(0), expected - now));
}

}  // namespace

std::string Plural(uint64_t count, std::string_view noun) {
  return base::CountText(static_cast<int64_t>(count)) + " " + std::string(noun) +
         (count == 1 ? "" : "s");
}

std::string StepText(int64_t step) { return "step " + base::CountText(step); }

std::string TimesText(double factor) {
  const int64_t percent = std::lround(factor * 100);
  const std::string part = std::to_string(percent % 100);
  return std::to_string(percent / 100) + (part.size() < 2 ? ".0" : ".") + part + " times";
}

std::string MarksOf(const CheckpointRow& row) {
  if (!row.final && !row.best) return "";
  return !row.best ? " (final)" : row.final ? " (final, the best so far)" : " (the best so far)";
}

std::string JobText(const JobRow& job) {
  return base::ToString(job.id) + " (" + job.request.name + ")";
}

std::string ReleaseText(const std::string& job, base::WallTime expected, base::WallTime now) {
  const std::string text = "next release " + job;
  if (expected + kMayBeLate >= now) return text + " in " + AboutUntil(expected, now);
  return text + " was expected by " + ClockTime(expected) + ", and is overdue";
}

std::string StartText(base::WallTime expected, base::WallTime now) {
  if (expected + kMayBeLate >= now) return "it starts in " + AboutUntil(expected, now);
  return "it was expected to start by " + ClockTime(expected) + ", and is overdue";
}

std::string ClockTime(base::WallTime at) {
  int64_t second = at.us / 1'000'000 % 86'400;
  std::string out;
  for (int64_t part : {second / 3600, second / 60 % 60, second % 60}) {
    if (!out.empty()) out += ':';
    out += static_cast<char>('0' + part / 10);
    out += static_cast<char>('0' + part % 10);
  }
  return out + " UTC";
}

std::string RanksText(const std::vector<base::Rank>& ranks) {
  std::string out = ranks.size() == 1 ? "rank " : "ranks ";
  for (size_t i = 0; i < ranks.size(); ++i) {
    if (i == 8) return out + ", ... (" + std::to_string(ranks.size()) + " in all)";
    if (i > 0) out += ", ";
    out += std::to_string(ranks[i]);
  }
  return out;
}

std::string SignalName(int signal) {
  switch (signal) {
    case 1:
      return "SIGHUP";
    case 2:
      return "SIGINT";
    case 3:
      return "SIGQUIT";
    case 4:
      return "SIGILL";
    case 6:
      return "SIGABRT";
    case 7:
      return "SIGBUS";
    case 8:
      return "SIGFPE";
    case 9:
      return "SIGKILL";
    case 11:
      return "SIGSEGV";
    case 13:
      return "SIGPIPE";
    case 15:
      return "SIGTERM";
    case 24:
      return "SIGXCPU";
    default:
      return "signal " + std::to_string(signal);
  }
}

std::string LastLine(std::string_view text, size_t most) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
    text.remove_suffix(1);
  }
  size_t cut = text.rfind('\n');
  if (cut != std::string_view::npos) text.remove_prefix(cut + 1);
  if (text.size() <= most) return std::string(text);
  return std::string(text.substr(0, most)) + "...";
}

std::string JsonQuote(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (unsigned char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c < 0x20 || c == 0x7f) {
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    } else {
      out += static_cast<char>(c);
    }
  }
  return out + "\"";
}

std::string Hex8(uint64_t bits) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out(8, '0');
  for (int i = 7; i >= 0; --i, bits >>= 4) out[i] = kHex[bits & 15];
  return out;
}

std::string ParentUri(std::string_view uri) {
  size_t cut = uri.rfind('/');
  return std::string(cut == std::string_view::npos ? uri : uri.substr(0, cut));
}

}  // namespace coxswain::coordinator::core
