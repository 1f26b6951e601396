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
    "       cox-sim trace ...  (--help: tells its arguments)\n"
    "       cox-sim fleet ...  (alone: tells its arguments)\n"
    "\n"
    "explore\n"
    "Runs one simulated fleet for each seed, twice, with faults drawn from the seed; checks that\n"
    "nothing is lost or given twice, and that all comes to its end once the faults are over.\n"
    "  --seeds A..B  the first and the last seed\n"
    "  --jobs N      this many processes at once (default 1)\n"
    "  --verbose     tell everything that happens\n"
    "\n"
    "replay\n"
    "Runs what a coordinator has recorded (DATA_DIR/recording) through its core again, and names "
    "the\n"
    "first turn that decides something else. FILE: a recording, or a folder of them.\n"
    "Exit codes: 0 all turns agree, 1 one differs, 2 a file is damaged, cut off or of another "
    "version.\n";

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
const char* Parse(int argc, char** argv, coxswain::sim::ExploreOptions* out) {
  bool seeds = false;
  for (int i = 2; i < argc; ++i) {
    uint64_t number = 0;
    if (std::strcmp(argv[i], "--verbose") == 0) {
      out->verbose = true;
    } else if (std::strcmp(argv[i], "--seeds") == 0 && i + 1 < argc) {
      if (!ParseSeeds(argv[++i], out)) return "--seeds: expected A..B, like 1..1000";
      seeds = true;
    } else if (std::strcmp(argv[i], "--jobs") == 0 && i + 1 < argc) {
      if (!ParseNumber(argv[++i], &number) || number < 1 || number > 1024) {
        return "--jobs: expected a number from 1 to 1024";
      }
      out->jobs = static_cast<unsigned>(number);
    } else {
      return "unknown argument";
    }
  }
  return seeds ? "" : "--seeds is missing";
}

// `cox-sim --help`, `cox-sim explore --help`; traces and fleets tell their own.
bool AsksForHelp(int argc, char** argv) {
  if (argc < 2) return false;
  std::string_view verb = argv[1], last = argv[argc - 1];
  if (verb == "trace" || verb == "fleet") return false;
  return last == "--help" || last == "-h";
}

// Of a verb that there is not, or none, or `replay` alone.
int TellUsage(int argc, char** argv) {
  static const std::vector<std::string> kVerbs = {"explore", "replay", "trace", "fleet"};
  const std::string verb = argc < 2 ? "" : argv[1];
  if (verb == "replay") {
    std::fputs("cox-sim replay: expected a recording, or a folder of them\n", stderr);
  } else if (!verb.empty()) {
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
  if (AsksForHelp(argc, argv)) return std::fputs(kUsage, stdout) < 0 || std::fflush(stdout) != 0;
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
  if (const char* wrong = Parse(argc, argv, &options); *wrong != '\0') {
    std::fprintf(stderr, "cox-sim: %s\n%s", wrong, kUsage);
    return 2;
  }
  return coxswain::sim::Explore(options);
}
