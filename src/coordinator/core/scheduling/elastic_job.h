// A job whose number of ranks may be moved, while sizes are being decided: what it would gain from
// more of them, and why it has as many as it has. Inside scheduling/ only.
#pragma once

#include <string>

#include "coordinator/core/scheduling/planner.h"

namespace coxswain::coordinator::core {

constexpr double kWorth = 1.3;       // goodput of a larger size, against that of the present one
constexpr double kLeastGain = 0.05;  // of a rank, against one at the least size: less is not given
constexpr double kNearly = 1.05;     // goodput of the present size, against that of a smaller one
constexpr double kGrowth = 4;        // against the largest size that was measured

// Why it was not made larger.
enum class NoMore { kNone, kNoSlots, kLimit };

struct ElasticJob {
  PlannedJob* job = nullptr;
  RunningJob* running = nullptr;  // the same; null: it waits
  SpeedModel model;
  PendingJob needs;      // at its least size
  Holding held;          // by a running one
  bool counted = false;  // any free slot will do: its slots are counted, not looked for
  uint32_t on_node = 1;  // ranks that an empty node holds
  uint32_t bound = 1;    // more than that it is not given: there is no room, or it was not tried
  uint32_t most = 1;     // the same in one round
  uint32_t workers = 0;  // 0: it has to wait
  uint32_t wanted = 0;   // before the price of a change was looked at
  bool gives_back = false;
  NoMore no_more = NoMore::kNone;

  double Goodput(uint32_t workers) const;
  // The next size that adds the most by rank; 0: none adds enough.
  struct Step {
    double gain = 0;  // by rank, against one at the least size
    uint32_t workers = 0;
  };
  Step Next() const;
  // Of its sizes from `least` on, the smallest that was measured to be nearly as fast as what it
  // has: kLeastGain by rank, kNearly in all. 0: none.
  uint32_t NearlyAsFast(uint32_t least) const;
};

// When it may be changed at the soonest: to what it wants, or, far later, to what is nearly as fast
// where nobody waits for the slots.
base::Time MayChangeAt(const ElasticJob& job, const PlanRequest& in);

// "2 of 1..8 ranks: 4 would be 1.03 times as fast, below 1.30", of a running one that stays as it
// is. `wait`: others wait for slots.
std::string WhySize(const ElasticJob& job, const PlanRequest& in, bool wait);

}  // namespace coxswain::coordinator::core
