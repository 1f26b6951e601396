// `cox-sim fleet`: its arguments, signals, and the summary as JSON.
#include <absl/strings/str_cat.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "common/base/clock.h"
#include "common/base/exit_codes.h"
#include "common/config/quantities.h"
#include "common/rpc/token.h"
#include "sim/rpc/fleet_loop.h"
#include "sim/trace/number_text.h"

namespace coxswain::sim::rpc {
namespace {

constexpr char kUsage[] =
    "usage: cox-sim fleet --nodes N --coordinator HOST:PORT --token-file FILE [--cpus N] [--gpus "
    "N]\n"
    "                     [--racks N] [--run-time SECONDS] [--seconds S] [--connections N]\n"
    "                     [--progress SECONDS] [--give-up SECONDS] [--prefix NAME]\n"
    "                     [--hold | --gpus-in-use] [--quiet]\n"
    "\n"
    "N pretend workers connect to a real coordinator, as cox-worker does, and do what they are "
    "told\n"
    "without running anything: for load tests. Ends with SIGINT, SIGTERM or after --seconds, and\n"
    "prints what happened as JSON.\n"
    "  --coordinator     where its workers connect to (worker_listen; port 7071 unless set)\n"
    "  --token-file      the file `token` of its data directory; or COX_TOKEN\n"
    "  --cpus, --gpus    CPU slots and GPUs of each (default 64 and 8)\n"
    "  --racks           so many values of the label rack (default: no such label)\n"
    "  --run-time        how long a job trains (default 1); a job's own label pretend-run-ms: "
    "\"200\"\n"
    "                    goes before it\n"
    "  --progress        each rank tells its own so often (default 1; 0: never)\n"
    "  --connections     they share so many (default: each has its own)\n"
    "  --give-up         if no worker was let in by then (default 15)\n"
    "  --hold            they take no work until all of them are connected\n"
    "  --gpus-in-use     by other programs, until SIGUSR1: jobs are checked, and wait\n"
    "  --prefix          of their names (default pretend: pretend-00001 ...)\n"
    "  --quiet           nothing on stderr but errors\n"
    "\n"
    "Examples:\n"
    "  cox-sim fleet --nodes 500 --coordinator 127.0.0.1:7071 --token-file data/token\n"
    "  cox-sim fleet --nodes 20 --cpus 60 --gpus 0 --run-time 0.2 --seconds 60 --quiet ...\n"
    "\n"
    "Exit codes: 0 ended as asked, 2 usage, 78 no worker was let in (wrong address, wrong "
    "token).\n";

struct Arguments {
  FleetOptions fleet;
  std::string token_file;
  double seconds = 0;  // 0: until a signal
  bool quiet = false;
};

// Empty: understood.
std::string Parse(const std::vector<std::string>& words, Arguments* out) {
  FleetOptions& fleet = out->fleet;
  double run_time = static_cast<double>(fleet.run_time.count()) / 1e6;
  double give_up = static_cast<double>(fleet.give_up.count()) / 1e6;
  double progress = static_cast<double>(fleet.progress.count()) / 1e6;
  double nodes = 0, cpus = fleet.cpus, gpus = fleet.gpus, racks = 0, connections = 0;
  using Kind = trace::NumberKind;
  struct Numeric {
    double* value;
    trace::NumberRange range;
  };
  std::map<std::string, Numeric> numbers = {
      {"--nodes", {&nodes, {1, 100'000, Kind::kWhole}}},
      {"--cpus", {&cpus, {1, 4096, Kind::kWhole}}},
      {"--gpus", {&gpus, {0, 256, Kind::kWhole}}},
      {"--racks", {&racks, {0, 100'000, Kind::kWhole}}},
      {"--run-time", {&run_time, {0, 1e6}}},
      {"--progress", {&progress, {0, 1e6}}},
      {"--seconds", {&out->seconds, {0, 1e7}}},
      {"--connections", {&connections, {1, 100'000, Kind::kWhole}}},
      {"--give-up", {&give_up, {0.1, 1e6}}}};
  std::map<std::string, std::string*> texts = {{"--coordinator", &fleet.coordinator},
                                               {"--token-file", &out->token_file},
                                               {"--prefix", &fleet.prefix}};
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    auto number = numbers.find(word);
    auto text = texts.find(word);
    if (word == "--quiet") {
      out->quiet = true;
    } else if (word == "--hold") {
      fleet.hold = true;
    } else if (word == "--gpus-in-use") {
      fleet.gpus_in_use = true;
    } else if (number == numbers.end() && text == texts.end()) {
      return absl::StrCat("unknown argument ", word);
    } else if (i + 1 == words.size()) {
      return absl::StrCat(word, " needs a value");
    } else if (text != texts.end()) {
      *text->second = words[++i];
    } else {
      auto value = trace::ReadFlag(word, words[++i], number->second.range);
      if (!value.ok()) return std::string(value.status().message());
      *number->second.value = *value;
    }
  }
  if (fleet.hold && fleet.gpus_in_use) return "--hold and --gpus-in-use: give one of them";
  if (nodes == 0) return "--nodes is missing";
  if (fleet.coordinator.empty()) return "--coordinator is missing";
  fleet.nodes = static_cast<uint32_t>(nodes);
  fleet.cpus = static_cast<uint32_t>(cpus);
  fleet.gpus = static_cast<uint32_t>(gpus);
  fleet.racks = static_cast<uint32_t>(racks);
  fleet.connections = std::min(fleet.nodes, static_cast<uint32_t>(connections));
  fleet.give_up = base::Duration(static_cast<int64_t>(give_up * 1e6));
  fleet.run_time = base::Duration(static_cast<int64_t>(run_time * 1e6));
  fleet.progress = base::Duration(static_cast<int64_t>(progress * 1e6));
  return "";
}

absl::StatusOr<std::string> FindToken(const std::string& file) {
  if (!file.empty()) return coxswain::rpc::ReadToken(file);
  const char* given = getenv("COX_TOKEN");
  if (given == nullptr || *given == '\0') {
    return absl::NotFoundError(
        "no token: give --token-file FILE (the file `token` of the coordinator's data directory) "
        "or set COX_TOKEN");
  }
  if (absl::Status text = coxswain::rpc::CheckTokenText(given, "COX_TOKEN"); !text.ok()) {
    return text;
  }
  return std::string(given);
}

// Each connection is an open file.
absl::Status RaiseFileLimit(uint64_t connections) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  uint64_t needed = connections + 64;
  limit.rlim_cur = std::max<rlim_t>(limit.rlim_cur, std::min<rlim_t>(limit.rlim_max, needed));
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= needed) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(connections, " connections need ", needed, " open files, and the limit is ",
                   limit.rlim_cur, ": raise it (ulimit -n) or share them (--connections)"));
}

int Fail(const absl::Status& why) {
  std::fprintf(stderr, "cox-sim fleet: %s\n", std::string(why.message()).c_str());
  return base::kDaemonConfig;
}

std::string Summary(const Arguments& arguments, const FleetTally& tally, double seconds) {
  nlohmann::ordered_json out;
  out["nodes"] = arguments.fleet.nodes;
  out["connected"] = tally.connected;
  out["seconds"] = seconds;
  out["losses"] = tally.losses;
  if (!tally.last_loss.empty()) out["last_loss"] = tally.last_loss;
  out["heartbeats"] = tally.heartbeats;
  out["reports"] = tally.reports;
  out["orders"] = tally.orders;
  out["tasks"] = tally.tasks;
  out["ranks_started"] = tally.ranks_started;
  out["ranks_ended"] = tally.ranks_ended;
  out["starts_span_s"] = tally.last_start - tally.first_start;
  out["starts_in_best_second"] = tally.starts_in_best_second;
  return out.dump();
}

}  // namespace

int Fleet(const std::vector<std::string>& words) {
  if (words == std::vector<std::string>{"--help"}) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  Arguments arguments;
  if (std::string wrong = Parse(words, &arguments); !wrong.empty()) {
    std::fprintf(stderr, "cox-sim fleet: %s\n%s", wrong.c_str(), kUsage);
    return 2;
  }
  FleetOptions& fleet = arguments.fleet;
  if (!config::ParseHostPort(fleet.coordinator)) {
    return Fail(absl::InvalidArgumentError(
        absl::StrCat("--coordinator: found '", fleet.coordinator, "', expected HOST:PORT")));
  }
  absl::StatusOr<std::string> token = FindToken(arguments.token_file);
  if (!token.ok()) return Fail(token.status());
  fleet.token = *token;
  absl::Status files = RaiseFileLimit(fleet.connections == 0 ? fleet.nodes : fleet.connections);
  if (!files.ok()) return Fail(files);

  signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGUSR1);
  sigprocmask(SIG_BLOCK, &signals, nullptr);  // before any thread is made, so that all inherit it
  FleetLoop loop(fleet);
  base::Time begin = base::MonotonicNow();
  auto passed = [&] { return static_cast<double>((base::MonotonicNow() - begin).count()) / 1e6; };
  loop.Start();
  bool told = arguments.quiet;
  while (loop.Failure().ok() && (arguments.seconds == 0 || passed() < arguments.seconds)) {
    timespec pause{0, 100'000'000};
    int signal = sigtimedwait(&signals, nullptr, &pause);
    if (signal == SIGUSR1) loop.FreeGpus();
    if (signal == SIGINT || signal == SIGTERM) break;
    if (told || loop.Tally().connected < fleet.nodes) continue;
    told = true;
    std::fprintf(stderr, "%u workers connected in %.1f s\n", fleet.nodes, passed());
  }
  absl::Status failure = loop.Failure();
  FleetTally tally = loop.Tally();
  double seconds = passed();
  loop.Stop();
  if (!failure.ok()) return Fail(failure);
  std::printf("%s\n", Summary(arguments, tally, seconds).c_str());
  return base::kDaemonEnded;
}

}  // namespace coxswain::sim::rpc
