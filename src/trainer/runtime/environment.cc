#include "trainer/runtime/environment.h"

#include <algorithm>
#include <charconv>

namespace coxswain::trainer {
namespace {

template <class T>
bool ParseWhole(std::string_view text, T* out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

absl::Status Wrong(const char* name, std::string_view found, const char* expected) {
  return absl::InvalidArgumentError(std::string(name) + ": found '" + std::string(found) +
                                    "', expected " + expected +
                                    "; cox-trainer is started by cox-worker, or with --standalone");
}

class Reader {
 public:
  explicit Reader(const GetVariable& get) : get_(get) {}
  std::string Text(const char* name) const {
    const char* value = get_(name);
    return value == nullptr ? "" : value;
  }
  std::string Required(const char* name, const char* expected) {
    std::string value = Text(name);
    if (value.empty() && status_.ok()) status_ = Wrong(name, "nothing", expected);
    return value;
  }
  void Number(const char* name, uint32_t least, uint32_t* out) {
    std::string value = Text(name);
    if (value.empty()) return;
    if ((!ParseWhole(value, out) || *out < least) && status_.ok()) {
      status_ = Wrong(name, value, least == 0 ? "a number" : "a positive number");
    }
  }
  void Fail(absl::Status status) {
    if (status_.ok()) status_ = std::move(status);
  }
  const absl::Status& status() const { return status_; }

 private:
  const GetVariable& get_;
  absl::Status status_;
};

}  // namespace

std::optional<protocol::RankKey> ParseRankKey(std::string_view text) {
  size_t first = text.find('/'), second = text.rfind('/');
  if (first == text.npos || first == second) return std::nullopt;
  auto job = base::ParseJobId(text.substr(0, first));
  protocol::RankKey key;
  if (!job || !ParseWhole(text.substr(first + 1, second - first - 1), &key.attempt.value) ||
      !ParseWhole(text.substr(second + 1), &key.rank)) {
    return std::nullopt;
  }
  key.job = *job;
  return key;
}

bool ParsePorts(std::string_view text, uint16_t* first, uint16_t* last) {
  size_t dash = text.find('-');
  if (dash == text.npos) return false;
  return ParseWhole(text.substr(0, dash), first) && ParseWhole(text.substr(dash + 1), last) &&
         *first > 0 && *first <= *last;
}

absl::StatusOr<Environment> ReadEnvironment(const GetVariable& get) {
  Reader in(get);
  Environment out;
  out.link.socket = in.Required("COXSWAIN_SOCKET", "the path of the worker's socket");
  std::string key = in.Required("COXSWAIN_RANK_KEY", "JOB/ATTEMPT/RANK such as j12/1/0");
  if (auto parsed = ParseRankKey(key)) {
    out.link.key = *parsed;
  } else {
    in.Fail(Wrong("COXSWAIN_RANK_KEY", key, "JOB/ATTEMPT/RANK such as j12/1/0"));
  }
  std::string incarnation = in.Required("COXSWAIN_INCARNATION", "a positive number");
  if (!ParseWhole(incarnation, &out.link.incarnation.value) || !out.link.incarnation) {
    in.Fail(Wrong("COXSWAIN_INCARNATION", incarnation, "a positive number"));
  }
  out.spec_path = in.Required("COXSWAIN_SPEC", "the path of the job file");
  if (std::string address = in.Text("COXSWAIN_ADDRESS"); !address.empty()) out.address = address;
  if (std::string ports = in.Text("COXSWAIN_TRAINER_PORTS");
      !ports.empty() && !ParsePorts(ports, &out.first_port, &out.last_port)) {
    in.Fail(Wrong("COXSWAIN_TRAINER_PORTS", ports, "a range such as 10000-10999"));
  }
  in.Number("COXSWAIN_WORLD_SIZE", 1, &out.world_size);
  in.Number("COXSWAIN_LOCAL_RANK", 0, &out.local_rank);
  in.Number("COXSWAIN_CPUS", 1, &out.cpus);
  in.Number("COXSWAIN_LOCAL_WORLD_SIZE", 1, &out.local_world_size);
  in.Number("COXSWAIN_NODE_RANK", 0, &out.node_rank);
  in.Number("COXSWAIN_NODES", 1, &out.nodes);
  const std::string gpus = in.Text("COXSWAIN_NODE_GPUS");
  for (size_t at = 0; at < gpus.size();) {
    const size_t comma = std::min(gpus.find(',', at), gpus.size());
    out.node_gpus.push_back(gpus.substr(at, comma - at));
    at = comma + 1;
  }
  out.state_prefix = in.Text("COXSWAIN_STATE_PREFIX");
  out.store = in.Text("COXSWAIN_STORE");
  if (!in.status().ok()) return in.status();
  return out;
}

}  // namespace coxswain::trainer
