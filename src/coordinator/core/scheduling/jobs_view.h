// The jobs as the planner sees them: those that wait, and those that hold slots.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "coordinator/core/placement/fleet_view.h"
#include "coordinator/core/scheduling/queue_tree.h"

namespace coxswain::coordinator::core {

// What both kinds have. The texts are the rows'.
struct PlannedJob {
  JobId id;
  QueueIndex queue = 0;
  std::string_view user;
  int32_t priority = 0;
  // Ranks: what it has, or is to get. `least` to `most` where its size may move.
  uint32_t workers = 1, least = 1, most = 1;
  uint32_t asked = 1;        // as many it asks to begin with
  Amount rank;               // what one of them takes
  Amount demand;             // all of them: what it wants or holds
  int64_t slots = 1;         // GPUs, or CPU slots of a job without
  base::Duration slot_time;  // that, times how long it has had them so far
};

// At its least size: who goes first does not change with what there is room for just now.
inline Amount LeastDemand(const PlannedJob& job) {
  return {job.rank.cpus * job.least, job.rank.gpus * job.least};
}
inline int64_t LeastSlots(const PlannedJob& job) {
  return job.slots / (job.workers > 0 ? job.workers : 1) * job.least;
}

struct WaitingJob : PlannedJob {
  bool sized = false;     // `workers` was decided when it was told to let go
  base::Duration waited;  // since it was submitted or last let go
  bool paused = false;    // it starts again in a moment, and keeps its place until then
  bool lost = false;      // it runs, on nodes that are lost: one of the running ones, too
  Amount holds;           // lost: of its queue, until it lets go
  bool plain = false;     // it names no labels and no kinds of GPUs
  bool told = false;      // how far back it is; so much is not said anew with every plan
};

struct RunningJob : PlannedJob {
  base::Time started;
  std::optional<base::Time> ends;  // as expected; past: any moment
  bool stopping = false;           // asked to let go, or about to
  bool back = false;               // it stops for a failure, and wants as many slots again
  bool lost = false;               // its nodes are: it may well be training, and nobody hears it
  uint32_t vain = 0;               // times in a row that a stop for another size led to nothing
  bool lost_steps = false;         // the last time: what it had done was not saved; else: no room
  bool made_room = false;          // it was stopped for another one, and has started again since
  base::Duration stop_takes{};     // at most so long until it has let go, once it is asked; left
};

}  // namespace coxswain::coordinator::core
