// `cox-sim trace`: its arguments, and the result as JSON.
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "sim/trace/number_text.h"
#include "sim/trace/trace_run.h"

namespace coxswain::sim::trace {
namespace {

using nlohmann::ordered_json;

constexpr char kUsage[] =
    "usage: cox-sim trace (--pollux DIR --workload K | --workload-file CSV --apps DIR |\n"
    "                      --philly CSV [--cluster NAME] [--most N])\n"
    "                     [--policy P] [--bamboo CSV] [--nodes N] [--gpus N] [--interval SECONDS]\n"
    "                     [--penalty SECONDS] [--las-threshold HOURS] [--sizes S] [--no-rows]\n"
    "\n"
    "Sends the jobs of a trace through the real coordinator core, on virtual time, and prints "
    "JSON:\n"
    "job completion times (submission to end), makespan, utilisation, and a row for each job.\n"
    "  --pollux DIR        workloads/workload-K.csv and apps/ of the Pollux evaluation\n"
    "  --workload-file CSV any file with the columns "
    "name,time,application,num_replicas,batch_size\n"
    "  --philly CSV        timestamp,duration,num_gpus[,cluster]; jobs last as long as the file "
    "says\n"
    "  --policy P          fifo, priority, fair, las or elastic (default las)\n"
    "  --sizes S           what the scheduler may decide of the jobs' sizes: fixed (as the trace "
    "says),\n"
    "                      gpus (how many), batch (and the batch); elastic: batch, others: fixed\n"
    "  --bamboo CSV        nodes come and go as spot instances did: time in ms,add|remove,node;\n"
    "                      from its end it begins anew\n"
    "  --nodes N --gpus N  of a fleet that stays (default 16 nodes of 4 GPUs)\n"
    "  --interval SECONDS  between two plans (default 60); --penalty of each (re)start (default "
    "30)\n"
    "  --las-threshold H   GPU hours after which a job of las counts as long\n"
    "  --no-rows           the sums alone\n"
    "\n"
    "Examples:\n"
    "  cox-sim trace --pollux traces/pollux --workload 1 --no-rows\n"
    "  cox-sim trace --pollux traces/pollux --workload 1 --policy elastic --bamboo spot.csv\n"
    "  cox-sim trace --philly jobs.csv --policy fair --nodes 64 --gpus 8\n"
    "\n"
    "Exit codes: 0 all jobs ended, 1 not all of them can, 2 wrong arguments or a wrong file.\n";

struct Arguments {
  std::map<std::string, std::string> values;
  bool rows = true;
};

// Empty: understood.
std::string Parse(const std::vector<std::string>& words, Arguments* out) {
  static const std::vector<std::string> kKnown = {
      "--pollux",  "--workload", "--workload-file", "--apps",          "--philly",
      "--cluster", "--most",     "--policy",        "--bamboo",        "--nodes",
      "--gpus",    "--interval", "--penalty",       "--las-threshold", "--sizes"};
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--no-rows") {
      out->rows = false;
    } else if (std::find(kKnown.begin(), kKnown.end(), words[i]) == kKnown.end()) {
      return "unknown argument " + words[i];
    } else if (i + 1 == words.size() || words[i + 1].empty()) {
      return words[i] + " needs a value";
    } else if (out->values.contains(words[i])) {
      return words[i] + " is given twice";
    } else {
      out->values[words[i]] = words[i + 1];
      ++i;
    }
  }
  return "";
}

using Kind = NumberKind;

absl::StatusOr<double> Number(const Arguments& in, const std::string& key, double otherwise,
                              double least, double most, Kind kind = Kind::kNumber) {
  auto found = in.values.find(key);
  if (found == in.values.end()) return otherwise;
  return ReadFlag(key, found->second, {least, most, kind});
}

// One source of jobs, or a line that says so.
absl::Status CheckSource(const Arguments& in) {
  const bool any = in.values.contains("--pollux") + in.values.contains("--workload-file") +
                       in.values.contains("--philly") ==
                   1;
  if (any) return absl::OkStatus();
  return absl::InvalidArgumentError("one of --pollux, --workload-file and --philly is needed");
}

// What the scheduler may decide of a job's size; under the policy elastic all, unless told.
absl::StatusOr<PolluxApp::Moves> ReadSizes(const Arguments& in) {
  using Moves = PolluxApp::Moves;
  static const std::map<std::string, Moves> kSizes = {
      {"fixed", Moves::kNothing}, {"gpus", Moves::kGpus}, {"batch", Moves::kBatch}};
  auto policy = in.values.find("--policy");
  bool elastic = policy != in.values.end() && policy->second == "elastic";
  auto text = in.values.find("--sizes");
  if (text == in.values.end()) return elastic ? Moves::kBatch : Moves::kNothing;
  if (auto found = kSizes.find(text->second); found != kSizes.end()) return found->second;
  return absl::InvalidArgumentError(
      absl::StrCat("--sizes: found '", text->second, "', expected fixed, gpus or batch"));
}

absl::StatusOr<std::vector<TraceJob>> ReadJobs(const Arguments& in) {
  if (absl::Status status = CheckSource(in); !status.ok()) return status;
  absl::StatusOr<PolluxApp::Moves> moves = ReadSizes(in);
  if (!moves.ok()) return moves.status();
  auto value = [&](const char* key) {
    auto found = in.values.find(key);
    return found == in.values.end() ? std::string() : found->second;
  };
  if (std::string folder = value("--pollux"); !folder.empty()) {
    if (value("--workload").empty()) return absl::InvalidArgumentError("--workload is missing");
    return ReadPollux(folder + "/workloads/workload-" + value("--workload") + ".csv",
                      folder + "/apps", *moves);
  }
  if (std::string file = value("--workload-file"); !file.empty()) {
    if (value("--apps").empty()) return absl::InvalidArgumentError("--apps is missing");
    return ReadPollux(file, value("--apps"), *moves);
  }
  absl::StatusOr<double> most = Number(in, "--most", 1e9, 1, 1e9, Kind::kWhole);
  if (!most.ok()) return most.status();
  return ReadPhilly(value("--philly"), value("--cluster"), static_cast<size_t>(*most));
}

absl::StatusOr<TraceSettings> ReadSettings(const Arguments& in) {
  TraceSettings settings;
  auto name = in.values.find("--policy");
  auto policy = base::ParsePolicyName(name == in.values.end() ? "las" : name->second);
  if (!policy) {
    return absl::InvalidArgumentError(
        absl::StrCat("--policy: found '", name->second, "', expected ", base::ListPolicyNames()));
  }
  settings.scheduling.policy = *policy;
  absl::StatusOr<double> nodes = Number(in, "--nodes", 16, 1, 100000, Kind::kWhole);
  absl::StatusOr<double> gpus = Number(in, "--gpus", 4, 1, 9, Kind::kWhole);
  absl::StatusOr<double> interval = Number(in, "--interval", 60, 0, 86400);
  absl::StatusOr<double> penalty = Number(in, "--penalty", 30, 0, 86400);
  absl::StatusOr<double> threshold = Number(in, "--las-threshold", 10, 0, 1e6);
  for (const auto* each : {&nodes, &gpus, &interval, &penalty, &threshold}) {
    if (!each->ok()) return each->status();
  }
  settings.nodes = static_cast<uint32_t>(*nodes);
  settings.gpus_per_node = static_cast<uint32_t>(*gpus);
  settings.penalty = *penalty;
  settings.scheduling.settle = base::Duration(static_cast<int64_t>(*interval * 1e6));
  settings.scheduling.replan =
      std::max<base::Duration>(settings.scheduling.settle, base::seconds(1));
  settings.scheduling.las_threshold = base::Duration(static_cast<int64_t>(*threshold * 3600e6));
  if (auto file = in.values.find("--bamboo"); file != in.values.end()) {
    absl::StatusOr<std::vector<Membership>> membership = ReadBamboo(file->second);
    if (!membership.ok()) return membership.status();
    settings.membership = *std::move(membership);
  }
  return settings;
}

// To so many parts of 1. Divided, so that the nearest double is what is printed: 0.827.
double Rounded(double value, double parts = 1) { return std::round(value * parts) / parts; }

ordered_json ResultJson(const TraceResult& result, bool rows) {
  std::vector<double> times;
  double sum = 0;
  uint64_t restarts = 0;
  ordered_json list = ordered_json::array();
  for (const TraceRow& row : result.rows) {
    double time = row.ended - row.submitted;
    times.push_back(time);
    sum += time;
    restarts += row.attempts - 1;
    list.push_back({{"name", row.name},
                    {"gpus", row.gpus},
                    {"submitted_s", row.submitted},
                    {"started_s", row.started},
                    {"ended_s", row.ended},
                    {"jct_s", time},
                    {"attempts", row.attempts},
                    {"gpu_s", Rounded(row.gpu_seconds)}});
  }
  std::sort(times.begin(), times.end());
  auto part = [&](double p) {
    return times[std::min(times.size() - 1,
                          static_cast<size_t>(p * static_cast<double>(times.size())))];
  };
  ordered_json out = {{"jobs", times.size()},
                      {"average_jct_s", Rounded(sum / static_cast<double>(times.size()))},
                      {"p50_jct_s", Rounded(part(0.5))},
                      {"p99_jct_s", Rounded(part(0.99))},
                      {"makespan_s", Rounded(result.makespan)},
                      {"utilisation", Rounded(result.utilisation, 1000)},
                      {"restarts", restarts},
                      {"decisions", result.decisions}};
  if (rows) out["rows"] = std::move(list);
  return out;
}

// The exit code: 1 if it did not get there whole.
int Print(const std::string& text) {
  bool good = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (good && std::fflush(stdout) == 0) return 0;
  std::fprintf(stderr, "cox-sim trace: cannot write standard output: %s\n", std::strerror(errno));
  return 1;
}

}  // namespace

int Trace(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (word == "--help" || word == "-h") return Print(kUsage);
  }
  Arguments arguments;
  std::string wrong = words.empty() ? "no arguments" : Parse(words, &arguments);
  if (!wrong.empty()) {
    std::fprintf(stderr, "%s\ncox-sim trace: %s\n", kUsage, wrong.c_str());
    return 2;
  }
  absl::StatusOr<TraceSettings> settings = ReadSettings(arguments);
  absl::StatusOr<std::vector<TraceJob>> jobs =
      settings.ok() ? ReadJobs(arguments) : settings.status();
  if (!jobs.ok()) {
    std::fprintf(stderr, "cox-sim trace: %s\n", std::string(jobs.status().message()).c_str());
    return 2;
  }
  absl::StatusOr<TraceResult> result = RunTrace(*settings, *std::move(jobs));
  if (!result.ok()) {
    std::fprintf(stderr, "cox-sim trace: %s\n", std::string(result.status().message()).c_str());
    return 1;
  }
  return Print(ResultJson(*result, arguments.rows).dump(1) + "\n");
}

}  // namespace coxswain::sim::trace
