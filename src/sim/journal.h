// What happened in one world: a digest of it, counts, the last lines of text (if asked for), and
// the first thing that a checker found wrong.
#pragma once

#include <array>
#include <deque>
#include <string>

#include "common/base/rng.h"
#include "sim/event_queue.h"

namespace coxswain::sim {

enum class Counted : uint8_t {
  kEvents,
  kCommits,
  kFailedCommits,
  kCoordinatorStarts,
  kWorkerStarts,
  kMachineCrashes,
  kCuts,
  kStreamBreaks,
  kRankStarts,
  kRankKills,
  kRankExits,
  kHangs,
  kGenerations,
  kCollectivesFailed,
  kSteps,
  kCheckpoints,
  kVerified,
  kCollected,
  kDamaged,
  kBlobOutages,
  kTasks,
  kSubmitted,
  kRepeats,
  kCancels,
  kDrains,
  kStalls,
  kClockJumps,
  kBackups,
  kClones,
  kCompleted,
  kFailed,
  kCancelled,
  kOtherEnds,
  kDigestsCompared,
  kResumed,
  kRetired,
  kForgotten,
  kBatchMoves,
  kPreemptions,
  kResizes,
  kBests,
  kBestExports,
  kLast
};
const char* ToString(Counted what);
using Counts = std::array<uint64_t, static_cast<size_t>(Counted::kLast)>;

class Journal {
 public:
  // `telling`: lines are made and kept; `aloud`: and printed at once.
  Journal(const EventQueue& clock, bool telling, bool aloud)
      : clock_(clock), telling_(telling), aloud_(aloud) {}

  void Mix(uint64_t bits) { digest_ = base::Mix64(digest_ ^ bits); }
  uint64_t digest() const { return digest_; }

  // `make` gives the line's text; it is only called when lines are wanted.
  template <class Make>
  void Say(const Make& make) {
    if (telling_) Keep(make());
  }
  void Add(Counted what, uint64_t count = 1) { counts_[static_cast<size_t>(what)] += count; }
  const Counts& counts() const { return counts_; }

  // A checker found something wrong; the first finding counts and ends the world.
  void Fail(std::string why);
  const std::string& failure() const { return failure_; }
  const std::deque<std::string>& lines() const { return lines_; }

 private:
  void Keep(std::string line);

  const EventQueue& clock_;
  const bool telling_, aloud_;
  uint64_t digest_ = 0;
  Counts counts_{};
  std::deque<std::string> lines_;
  std::string failure_;
};

}  // namespace coxswain::sim
