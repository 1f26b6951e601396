// cox-sim: the real cores in simulated fleets.
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/nearest_name.h"
#include "common/base/version.h"
#include "sim/explore.h"
#include "sim/replay.h"
#include "sim/rpc/fleet_loop.h"
#include "sim/trace/trace_run.h"

namespace {

constexpr char kUsage[] =
    "usage: cox-sim explore --seeds A..B [--jobs N] [--verbose]\n"
    "       cox-sim replay FILE...\n"
    "       cox-sim trace ...\n"
    "       cox-sim fleet ...\n"
    "\n"
    "  explore  runs simulated fleets with faults drawn from seeds, and checks what must always "
    "hold\n"
    "  replay   runs what a coordinator has recorded through its core again, and compares\n"
    "  trace    runs a file of jobs under a scheduling policy, in virtual time\n"
    "  fleet    plays a fleet of workers against a running coordinator\n"
    "\n"
    "cox-sim VERB --help tells each one's arguments, units, examples and exit codes.\n";

constexpr char kExploreUsage[] =
    "usage: cox-sim explore --seeds A..B [--jobs N] [--verbose]\n"
    "\n"
    "Each seed is a world: a fleet of simulated machines, jobs, and faults (killed processes, cut\n"
    "networks, full disks, slow stores), all drawn from the seed. The real cores of coordinator,\n"
    "worker and trainer run in it, in virtual time. First with faults, then without: all jobs have "
    "to\n"
    "come to their end. Checkers watch that nothing is lost, given twice or left over. Each seed "
    "runs\n"
    "twice and has to decide the same both times.\n"
    "\n"
    "  --seeds A..B  the first and the last seed, whole numbers from 0; or one seed\n"
    "  --jobs N      processes at once, 1 to 1024 (default 1)\n"
    "  --verbose     print every event of each world\n"
    "\n"
    "Printed: a line for each seed that fails, with why, its last events and how to run it again; "
    "at\n"
    "the end seeds per second of real time, hours of virtual time, and counts of what took place.\n"
    "\n"
    "Examples:\n"
    "  cox-sim explore --seeds 1..1000 --jobs 8\n"
    "  cox-sim explore --seeds 4711 --verbose\n"
    "\n"
    "Exit codes: 0 no seed failed, 1 at least one failed or a process was lost, 2 wrong "
    "arguments.\n";

constexpr char kReplayUsage[] =
    "usage: cox-sim replay FILE...\n"
    "\n"
    "Runs what a coordinator has recorded (DATA_DIR/recording) through its core again, and names "
    "the\n"
    "first turn that decides something else. A turn is one event and all that was decided on it.\n"
    "\n"
    "  FILE  a recording (recording-000003.rec), or a folder of them, in the order of their "
    "numbers\n"
    "\n"
    "Of a file that a running coordinator still writes, the complete part is replayed, and the "
    "line\n"
    "says so. Times are in UTC.\n"
    "\n"
    "Examples:\n"
    "  cox-sim replay /var/lib/coxswain/coordinator/recording\n"
    "  cox-sim replay recording-000003.rec recording-000004.rec\n"
    "\n"
    "Exit codes: 0 all turns agree, 1 one differs, 2 a file is damaged, cut off or of another "
    "version,\n"
    "or the arguments are wrong.\n";

bool ParseNumber(std::string_view text, uint64_t* out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size();
}

bool ParseSeeds(std::string_view text, coxswain::sim::ExploreOptions* out) {
  size_t dots = text.find("..");
  if (dots == std::string_view::npos) {
    return ParseNumber(text, &out->first) && ParseNumber(text, &out->last);
  }
  return ParseNumber(text.substr(0, dots), &out->first) &&
         ParseNumber(text.substr(dots + 2), &out->last) && out->first <= out->last;
}

// Empty: understood.
std::string Parse(int argc, char** argv, coxswain::sim::ExploreOptions* out) {
  static const std::vector<std::string> kFlags = {"--seeds", "--jobs", "--verbose"};
  bool seeds = false;
  for (int i = 2; i < argc; ++i) {
    uint64_t number = 0;
    const std::string flag = argv[i];
    if (i + 1 == argc && (flag == "--seeds" || flag == "--jobs")) return flag + " needs a value";
    if (std::strcmp(argv[i], "--verbose") == 0) {
      out->verbose = true;
    } else if (std::strcmp(argv[i], "--seeds") == 0 && i + 1 < argc) {
      if (!ParseSeeds(argv[++i], out)) {
        return "--seeds: found '" + std::string(argv[i]) + "', expected A..B, like 1..1000";
      }
      seeds = true;
    } else if (std::strcmp(argv[i], "--jobs") == 0 && i + 1 < argc) {
      if (!ParseNumber(argv[++i], &number) || number < 1 || number > 1024) {
        return "--jobs: found '" + std::string(argv[i]) + "', expected a number from 1 to 1024";
      }
      out->jobs = static_cast<unsigned>(number);
    } else {
      return "unknown argument '" + flag + "'" + coxswain::base::DidYouMean(flag, kFlags);
    }
  }
  return seeds ? "" : "--seeds is missing";
}

// `cox-sim --help`, `cox-sim explore --help`; traces and fleets tell their own. Null: not asked.
const char* HelpAskedFor(int argc, char** argv) {
  if (argc < 2) return nullptr;
  std::string_view verb = argv[1], last = argv[argc - 1];
  const bool asked = last == "--help" || last == "-h";
  if (!asked || verb == "trace" || verb == "fleet") return nullptr;
  return verb == "explore" ? kExploreUsage : verb == "replay" ? kReplayUsage : kUsage;
}

// Of a verb that there is not, or none, or `replay` alone.
int TellUsage(int argc, char** argv) {
  static const std::vector<std::string> kVerbs = {"explore", "replay", "trace", "fleet"};
  const std::string verb = argc < 2 ? "" : argv[1];
  if (verb == "replay") {
    std::fprintf(stderr, "cox-sim replay: expected a recording, or a folder of them\n%s",
                 kReplayUsage);
    return 2;
  }
  if (!verb.empty()) {
    std::fprintf(stderr, "cox-sim: unknown verb '%s'%s\n", verb.c_str(),
                 coxswain::base::DidYouMean(verb, kVerbs).c_str());
  }
  std::fputs(kUsage, stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
    std::printf("cox-sim %s\n", coxswain::base::kVersion);
    return 0;
  }
  if (const char* help = HelpAskedFor(argc, argv)) {
    return std::fputs(help, stdout) < 0 || std::fflush(stdout) != 0;
  }
  if (argc > 2 && std::strcmp(argv[1], "replay") == 0) {
    return coxswain::sim::Replay({argv + 2, argv + argc});
  }
  if (argc > 1 && std::strcmp(argv[1], "trace") == 0) {
    return coxswain::sim::trace::Trace({argv + 2, argv + argc});
  }
  if (argc > 1 && std::strcmp(argv[1], "fleet") == 0) {
    return coxswain::sim::rpc::Fleet({argv + 2, argv + argc});
  }
  if (argc < 2 || std::strcmp(argv[1], "explore") != 0) return TellUsage(argc, argv);
  coxswain::sim::ExploreOptions options;
  if (const std::string wrong = Parse(argc, argv, &options); !wrong.empty()) {
    std::fprintf(stderr, "cox-sim explore: %s\n(cox-sim explore --help tells more)\n",
                 wrong.c_str());
    return 2;
  }
  return coxswain::sim::Explore(options);
}
