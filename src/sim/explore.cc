#include "sim/explore.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "sim/world.h"

namespace coxswain::sim {
namespace {

// What one process has found.
struct Tally {
  uint64_t seeds = 0, failed = 0;
  int64_t virtual_us = 0;
  Counts counts{};
};

volatile uint64_t seed_now = 0;

// A CHECK in a core, or a crash, ends the process: say at least which world it was.
void OnCrash(int signal) {
  char line[96];
  const char* what = signal == SIGABRT ? "a core failed a CHECK (above)" : "it crashed";
  int n = std::snprintf(line, sizeof line, "seed %llu: %s\n",
                        static_cast<unsigned long long>(seed_now), what);
  [[maybe_unused]] ssize_t written = write(STDERR_FILENO, line, static_cast<size_t>(n));
  n = std::snprintf(line, sizeof line, "rerun: cox-sim explore --seeds %llu..%llu --verbose\n",
                    static_cast<unsigned long long>(seed_now),
                    static_cast<unsigned long long>(seed_now));
  written = write(STDERR_FILENO, line, static_cast<size_t>(n));
  _exit(1);
}

void Report(uint64_t seed, const std::string& why) {
  World again(seed, Telling::kLastLines);
  again.Run();
  std::string text = "seed " + std::to_string(seed) + ": " + why + "\n";
  for (const std::string& line : again.journal.lines()) text += "  " + line + "\n";
  text += "rerun: cox-sim explore --seeds " + std::to_string(seed) + ".." + std::to_string(seed) +
          " --verbose\n";
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

void ExploreSeed(uint64_t seed, bool verbose, Tally* tally) {
  seed_now = seed;
  World first(seed, verbose ? Telling::kAloud : Telling::kNothing);
  first.Run();
  World second(seed, Telling::kNothing);
  second.Run();
  ++tally->seeds;
  tally->virtual_us += first.queue.now().us + second.queue.now().us;
  for (size_t i = 0; i < tally->counts.size(); ++i) {
    tally->counts[i] += first.journal.counts()[i];
  }
  std::string why = first.journal.failure();
  if (why.empty() && first.journal.digest() != second.journal.digest()) {
    why = "two runs of this seed differ";
  }
  if (why.empty()) return;
  ++tally->failed;
  Report(seed, why);
}

Tally ExploreShare(const ExploreOptions& options, unsigned share) {
  Tally tally;
  for (uint64_t seed = options.first + share; seed <= options.last; seed += options.jobs) {
    ExploreSeed(seed, options.verbose, &tally);
  }
  return tally;
}

// In a process of its own; the tally comes through a pipe.
int StartShare(const ExploreOptions& options, unsigned share, std::vector<pid_t>* children) {
  int ends[2];
  if (pipe(ends) != 0) return -1;
  pid_t child = fork();
  if (child == 0) {
    Tally tally = ExploreShare(options, share);
    bool told = write(ends[1], &tally, sizeof tally) == sizeof tally;
    _exit(told ? 0 : 2);
  }
  close(ends[1]);
  children->push_back(child);
  return ends[0];
}

void Print(const Tally& all, double seconds) {
  std::printf(
      "%llu seeds, %llu failed; %.1f seeds/s; %.1f h of virtual time in %.1f s: %.0f times "
      "real time\n",
      static_cast<unsigned long long>(all.seeds), static_cast<unsigned long long>(all.failed),
      static_cast<double>(all.seeds) / seconds, static_cast<double>(all.virtual_us) * 1e-6 / 3600,
      seconds, static_cast<double>(all.virtual_us) * 1e-6 / seconds);
  for (size_t i = 0; i < all.counts.size(); ++i) {
    std::printf("  %-20s %llu\n", ToString(static_cast<Counted>(i)),
                static_cast<unsigned long long>(all.counts[i]));
  }
}

}  // namespace

int Explore(const ExploreOptions& options) {
  for (int fatal : {SIGABRT, SIGFPE, SIGSEGV, SIGBUS, SIGILL}) signal(fatal, OnCrash);
  auto begin = std::chrono::steady_clock::now();
  Tally all;
  bool lost = false;
  auto add = [&](const Tally& tally) {
    all.seeds += tally.seeds;
    all.failed += tally.failed;
    all.virtual_us += tally.virtual_us;
    for (size_t i = 0; i < all.counts.size(); ++i) all.counts[i] += tally.counts[i];
  };
  if (options.jobs <= 1) {
    add(ExploreShare(options, 0));
  } else {
    std::vector<pid_t> children;
    std::vector<int> pipes;
    for (unsigned i = 0; i < options.jobs; ++i) pipes.push_back(StartShare(options, i, &children));
    for (size_t i = 0; i < pipes.size(); ++i) {
      Tally tally;
      bool got = pipes[i] >= 0 && read(pipes[i], &tally, sizeof tally) == sizeof tally;
      if (got) add(tally);
      lost |= !got;
      if (i < children.size()) waitpid(children[i], nullptr, 0);
    }
  }
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  Print(all, took.count());
  return all.failed > 0 || lost ? 1 : 0;
}

}  // namespace coxswain::sim
