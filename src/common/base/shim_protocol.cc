#include "common/base/shim_protocol.h"

#include <charconv>
#include <map>

namespace coxswain::base {
namespace {

constexpr char kExitHead[] = "coxswain-exit 1";
constexpr char kIdentityHead[] = "coxswain-process 1";
constexpr char kEnd[] = "end";

// "key value" lines between a head and an end line.
using Fields = std::map<std::string, std::string, std::less<>>;

std::optional<Fields> ParseFields(std::string_view text, std::string_view head) {
  Fields fields;
  bool first = true, ended = false;
  while (!text.empty() && !ended) {
    size_t stop = text.find('\n');
    if (stop == std::string_view::npos) return std::nullopt;
    std::string_view line = text.substr(0, stop);
    text.remove_prefix(stop + 1);
    if (first) {
      if (line != head) return std::nullopt;
      first = false;
    } else if (line == kEnd) {
      ended = true;
    } else {
      size_t space = line.find(' ');
      if (space == std::string_view::npos) return std::nullopt;
      fields.emplace(line.substr(0, space), UnescapeLine(line.substr(space + 1)));
    }
  }
  if (!ended) return std::nullopt;
  return fields;
}

std::string Get(const Fields& fields, std::string_view key) {
  auto it = fields.find(key);
  return it == fields.end() ? std::string() : it->second;
}

int64_t GetNumber(const Fields& fields, std::string_view key) {
  std::string text = Get(fields, key);
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void Put(std::string& out, std::string_view key, std::string_view value) {
  out.append(key).append(" ").append(EscapeLine(value)).append("\n");
}
void Put(std::string& out, std::string_view key, int64_t value) {
  Put(out, key, std::string_view(std::to_string(value)));
}

}  // namespace

std::string EncodeExit(const ShimExit& exit) {
  std::string out = std::string(kExitHead) + "\n";
  Put(out, "code", exit.code);
  Put(out, "signal", exit.signal);
  Put(out, "oom_killed", exit.oom_killed);
  Put(out, "stopped", exit.stopped);
  Put(out, "started_us", exit.started.us);
  Put(out, "ended_us", exit.ended.us);
  Put(out, "user_us", exit.user_us);
  Put(out, "system_us", exit.system_us);
  Put(out, "peak_rss_bytes", exit.peak_rss_bytes);
  Put(out, "note", exit.note);
  Put(out, "last_log", exit.last_log);
  return out + kEnd + "\n";
}

std::optional<ShimExit> DecodeExit(std::string_view text) {
  std::optional<Fields> fields = ParseFields(text, kExitHead);
  if (!fields) return std::nullopt;
  ShimExit exit;
  exit.code = static_cast<int>(GetNumber(*fields, "code"));
  exit.signal = static_cast<int>(GetNumber(*fields, "signal"));
  exit.oom_killed = GetNumber(*fields, "oom_killed") != 0;
  exit.stopped = GetNumber(*fields, "stopped") != 0;
  exit.started.us = GetNumber(*fields, "started_us");
  exit.ended.us = GetNumber(*fields, "ended_us");
  exit.user_us = GetNumber(*fields, "user_us");
  exit.system_us = GetNumber(*fields, "system_us");
  exit.peak_rss_bytes = GetNumber(*fields, "peak_rss_bytes");
  exit.note = Get(*fields, "note");
  exit.last_log = Get(*fields, "last_log");
  return exit;
}

std::string EncodeIdentity(const ProcessIdentity& identity) {
  std::string out = std::string(kIdentityHead) + "\n";
  Put(out, "pid", identity.pid);
  Put(out, "start_ticks", static_cast<int64_t>(identity.start_ticks));
  Put(out, "boot_id", identity.boot_id);
  return out + kEnd + "\n";
}

std::optional<ProcessIdentity> DecodeIdentity(std::string_view text) {
  std::optional<Fields> fields = ParseFields(text, kIdentityHead);
  if (!fields) return std::nullopt;
  return ProcessIdentity{GetNumber(*fields, "pid"),
                         static_cast<uint64_t>(GetNumber(*fields, "start_ticks")),
                         Get(*fields, "boot_id")};
}

std::string EscapeLine(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\\') {
      out += "\\\\";
    } else {
      out += c;
    }
  }
  return out;
}

std::string UnescapeLine(std::string_view line) {
  std::string out;
  out.reserve(line.size());
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\' && i + 1 < line.size()) {
      ++i;
      out += line[i] == 'n' ? '\n' : line[i];
    } else {
      out += line[i];
    }
  }
  return out;
}

}  // namespace coxswain::base
