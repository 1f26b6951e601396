#include "common/config/daemon_sections.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "common/config/job_parser.h"
#include "common/config/quantities.h"
#include "common/config/scheduling_sections.h"

namespace coxswain::config {
namespace {

using base::seconds;
constexpr auto kDay = std::chrono::hours(24);
constexpr auto kLongestAge = 3650 * kDay;
constexpr int64_t kMebi = int64_t{1} << 20;
constexpr int64_t kTebi = int64_t{1} << 40;

void ReadPath(Section& in, std::string_view key, std::string* out) {
  std::string text;
  if (!in.Text(key, "a path", &text)) return;
  *out = AbsolutePath(text);
}

// An address to listen on.
void ReadListen(Section& in, std::string_view key, std::string* out) {
  if (!in.Text(key, "HOST:PORT such as 127.0.0.1:7070", out)) return;
  if (!ParseHostPort(*out)) {
    in.Wrong(key,
             "found " + Quoted(*out) + ", expected HOST:PORT such as 127.0.0.1:7070 (port 0: any)");
  }
}

void CheckPlaintext(Section& in, std::string_view key, const std::string& address, bool allowed) {
  const std::optional<HostPort> where = ParseHostPort(address);
  if (!where || allowed || IsLoopback(where->host)) return;
  in.Wrong(key,
           "found " + Quoted(address) +
               ", which other machines can reach, but traffic is not encrypted yet; expected a "
               "loopback address such as 127.0.0.1:7070, or allow_plaintext: true on a network "
               "that you trust");
}

void ReadLogLevel(Section& in, std::string* out) {
  in.Choice<std::string>(
      "log_level", {{"debug", "debug"}, {"info", "info"}, {"warn", "warn"}, {"error", "error"}},
      out);
}

void ReadKeepRows(Section& in, KeepRows* out) {
  in.Duration("age", seconds(60), kLongestAge, &out->age);
  in.Integer("most", int64_t{1}, int64_t{1'000'000'000}, &out->most);
}

void ReadKeepBytes(Section& in, KeepBytes* out) {
  in.Duration("age", seconds(60), kLongestAge, &out->age);
  in.Size("size", kMebi, 1024 * kTebi, &out->size);
}

bool IsName(const std::string& name) {
  return !name.empty() && name.size() <= 63 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

void ReadNodeName(Section& in, WorkerConfig* out) {
  if (in.Text("name", "a name such as node-1", &out->name) && !IsName(out->name)) {
    in.Wrong("name",
             "found " + Quoted(out->name) + ", expected 1 to 63 letters, digits, '.', '_' and '-'");
  }
}

std::string WrongLabel(const std::string& key, const std::string& value) {
  if (!IsName(key)) {
    return "found the label " + Quoted(key) +
           ", expected 1 to 63 letters, digits, '.', '_' and '-'";
  }
  if (value.size() > 63 || FindBadByte(value) != std::string::npos) {
    return "found " + Quoted(value) + " for the label '" + key +
           "', expected at most 63 bytes without control characters";
  }
  return "";
}

void ReadPortRange(Section& in, WorkerConfig* out) {
  std::string text;
  const std::string expected = "a range of ports such as 29500-29599";
  if (!in.Text("trainer_ports", expected, &text)) return;
  unsigned first = 0, last = 0;
  char rest = 0;
  const int fields = std::sscanf(text.c_str(), "%5u-%5u%c", &first, &last, &rest);
  if (fields != 2 || first == 0 || last > 65535 || first > last) {
    in.Wrong("trainer_ports", "found " + Quoted(text) + ", expected " + expected);
    return;
  }
  out->trainer_port_first = static_cast<uint16_t>(first);
  out->trainer_port_last = static_cast<uint16_t>(last);
}

}  // namespace

std::string DefaultDataDir(std::string_view program) {
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  const std::string root = state != nullptr && *state == '/' ? std::string(state)
                           : home != nullptr                 ? std::string(home) + "/.local/state"
                                                             : std::string("/var/lib");
  return root + "/coxswain/" + std::string(program);
}

std::string AbsolutePath(const std::string& path) {
  std::error_code gone;
  const std::filesystem::path whole = std::filesystem::absolute(path, gone);
  return gone ? path : whole.lexically_normal().string();
}

void ReadCoordinator(const YAML::Node& root, Notebook* notes, CoordinatorConfig* out) {
  Section in(root, "", 0, notes);
  out->data_dir = DefaultDataDir("coordinator");
  ReadPath(in, "data_dir", &out->data_dir);
  ReadListen(in, "listen", &out->listen);
  ReadListen(in, "worker_listen", &out->worker_listen);
  ReadListen(in, "http_listen", &out->http_listen);
  in.TextList("http_hosts", 64, "a list of host names such as [coxswain.example]",
              &out->http_hosts);
  in.Bool("allow_plaintext", &out->allow_plaintext);
  CheckPlaintext(in, "listen", out->listen, out->allow_plaintext);
  CheckPlaintext(in, "worker_listen", out->worker_listen, out->allow_plaintext);
  CheckPlaintext(in, "http_listen", out->http_listen, out->allow_plaintext);
  out->token_file = out->data_dir + "/token";
  ReadPath(in, "token_file", &out->token_file);
  out->default_store = "file://" + out->data_dir + "/store";
  if (in.Text("default_store", "file:///PATH or s3://BUCKET/PREFIX", &out->default_store)) {
    const std::string wrong = WrongUri(out->default_store, false);
    if (!wrong.empty()) in.Wrong("default_store", wrong);
  }
  in.Duration("lease", seconds(1), seconds(300), &out->lease);
  in.Duration("idempotency_window", seconds(60), 365 * kDay, &out->idempotency_window);
  in.Integer("max_active_jobs", int64_t{1}, int64_t{10'000'000}, &out->max_active_jobs);
  in.Below("scheduling", [&](Section& below) { ReadScheduling(below, &out->scheduling); });
  in.Below("retention", [&](Section& below) {
    below.Below("finished_jobs", [&](Section& s) { ReadKeepRows(s, &out->finished_jobs); });
    below.Below("events", [&](Section& s) { ReadKeepRows(s, &out->events); });
    below.Below("metrics", [&](Section& s) { ReadKeepBytes(s, &out->metrics); });
    below.Below("recording", [&](Section& s) { s.Size("size", 0, kTebi, &out->recording_size); });
  });
  ReadLogLevel(in, &out->log_level);
  in.Finish();
}

void ReadWorker(const YAML::Node& root, Notebook* notes, WorkerConfig* out) {
  Section in(root, "", 0, notes);
  out->data_dir = DefaultDataDir("worker");
  ReadPath(in, "data_dir", &out->data_dir);
  ReadListen(in, "coordinator", &out->coordinator);
  ReadPath(in, "token_file", &out->token_file);
  ReadNodeName(in, out);
  in.TextMap("labels", 64, WrongLabel, &out->labels);
  in.Integer("cpu_slots", 0, 65536, &out->cpu_slots);
  in.Bool("gpus", &out->gpus);
  in.Text("nvml_library", "a library such as libnvidia-ml.so.1", &out->nvml_library);
  if (in.Text("advertise_address", "an address that other machines reach, such as 10.0.0.2",
              &out->advertise_address)) {
    out->advertise_place = in.Place("advertise_address");
  }
  in.Text("interface", "a network interface such as eth0", &out->interface);
  ReadPortRange(in, out);
  in.Below("rank_logs", [&](Section& below) {
    below.Size("file_size", 64 << 10, kTebi, &out->rank_log_file_size);
    below.Integer("files", 1, 1000, &out->rank_log_files);
    ReadKeepBytes(below, &out->rank_logs);
  });
  in.Size("metrics_buffer", kMebi, kTebi, &out->metrics_buffer);
  ReadLogLevel(in, &out->log_level);
  in.Finish();
}

}  // namespace coxswain::config
