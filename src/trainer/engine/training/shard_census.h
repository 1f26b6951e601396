// What the ranks of a new group hold together of a sharded optimizer's state, and what is to be
// done with it. Pure.
//
// An update goes like this on each rank: once the gradients are summed it updates its own part of
// the parameters and their state in place, then all exchange their parts of the parameters, and
// the step is done. A collective that fails meanwhile leaves some ranks before their update, some
// after it, and some done. A rank that is done has all others' parts: so none can be before its
// update. A rank that is after its update has the gradients' sums, which it keeps: so those that
// are before it can do theirs with them. Hence, as long as every part is still on some rank, the
// step can be finished and nothing has to be undone, for which a second copy of the state would be
// needed (docs/decisions/0022).
#pragma once

#include <cstdint>
#include <vector>

namespace coxswain::trainer::engine {

// Which part of the state a rank has: of how many, split when. Parts of one state have the same
// `split` and `parts`.
struct ShardPlace {
  uint64_t split = 0;  // the generation; 0: it has none
  uint32_t parts = 0, part = 0;
};

// How far a rank has come with the step after its last finished one. The more, the better it is to
// go by.
enum class UpdateStage : uint8_t {
  kHelped,    // updated with another rank's gradients; the rest is of the step before
  kUpdated,   // own part updated, and all that needs no other rank
  kAveraged,  // the average of the weights too
  kDone,
};

struct RankStanding {
  bool has_state = false;  // more than all begin with
  int64_t updated = 0;     // step of its part
  UpdateStage stage = UpdateStage::kDone;
  ShardPlace place;
};

struct ShardCensus {
  enum class Verdict {
    kFresh,  // no rank has any state
    kLost,   // some part is nowhere
    kWhole,
  };
  Verdict verdict = Verdict::kFresh;
  // The rest is of kWhole.
  int64_t step = 0;               // that all are brought to
  uint32_t root = 0;              // whose state beside the parts counts
  std::vector<uint32_t> holders;  // by part
  bool behind = false;            // a holder is before its update; root has the gradients
  bool done = false;              // every rank has finished that step
  bool moved = false;             // parts are to be split anew, over these ranks
};

// `ranks`: of the new group, in order.
ShardCensus TakeCensus(const std::vector<RankStanding>& ranks);

}  // namespace coxswain::trainer::engine
