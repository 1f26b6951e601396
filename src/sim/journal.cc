#include "sim/journal.h"

#include <cstdio>

namespace coxswain::sim {

constexpr size_t kKeptLines = 60;

const char* ToString(Counted what) {
  constexpr const char* kNames[] = {"core events",
                                    "commits",
                                    "refused commits",
                                    "coordinator starts",
                                    "worker starts",
                                    "machine crashes",
                                    "network cuts",
                                    "stream breaks",
                                    "rank starts",
                                    "rank kills",
                                    "rank exits",
                                    "hangs",
                                    "generations",
                                    "failed groups",
                                    "steps",
                                    "checkpoints",
                                    "verified",
                                    "collected",
                                    "damaged",
                                    "store outages",
                                    "tasks",
                                    "submissions",
                                    "repeated calls",
                                    "cancels",
                                    "drains",
                                    "loop stalls",
                                    "clock jumps",
                                    "restored backups",
                                    "cloned disks",
                                    "jobs completed",
                                    "jobs failed",
                                    "jobs cancelled",
                                    "other ends",
                                    "digests compared",
                                    "resumes",
                                    "jobs retired",
                                    "nodes forgotten",
                                    "batch moves",
                                    "preemptions",
                                    "resizes",
                                    "best checkpoints",
                                    "models of best"};
  static_assert(std::size(kNames) == static_cast<size_t>(Counted::kLast));
  return kNames[static_cast<size_t>(what)];
}

void Journal::Fail(std::string why) {
  if (!failure_.empty()) return;
  Say([&] { return "CHECKER: " + why; });
  failure_ = std::move(why);
}

void Journal::Keep(std::string line) {
  char stamp[32];
  std::snprintf(stamp, sizeof stamp, "%10.6f ", static_cast<double>(clock_.now().us) * 1e-6);
  if (aloud_) std::printf("%s%s\n", stamp, line.c_str());
  lines_.push_back(stamp + std::move(line));
  if (lines_.size() > kKeptLines) lines_.pop_front();
}

}  // namespace coxswain::sim
