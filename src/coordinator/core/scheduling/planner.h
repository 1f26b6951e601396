// Which waiting jobs get which slots, and which running ones make room: a pure call on a view.
//
// - Gangs are placed whole or not at all. Where a gang goes: placement/gang_fit.h.
// - The policy orders the queues and the jobs in them; before it, a job that stays within its
//   queue's guaranteed quota goes before one that borrows, but for one of its own queue that is
//   ahead of it and has waited for long (kPatience). First of all come jobs that start again in a
//   moment: they keep what they had.
// - The first job of a queue that does not fit is given a reservation: the slots that it will have
//   when running jobs have let go, soonest first. Nobody else is given those, unless he is expected
//   to have ended by then (backfill); so no stream of small jobs can starve a large one.
// - It may take slots back: from jobs that borrow what its queue's quota guarantees, and from those
//   of its queue that the policy says yield. Those that borrow go first, then the lowest priority,
//   then the one that has run the shortest, unless less is stopped by stopping others of that
//   priority: a large one goes only if smaller ones are not enough. No more than needed, and none
//   while enough are stopping. One that is about to end, and one that was stopped for others and
//   has started again since, is left alone for as long as a stop may take (`grace`).
// - A running job whose nodes are lost starts elsewhere if there is room when its turn comes, and
//   takes slots back as if it waited. If that would not be enough, it is left alone, as it may well
//   be training, and holds what it holds until somebody else who is first would fit with it.
// - How many ranks a job with a range gets is decided before that: sizing.h. If those do not fit
//   where it may go, and nobody is stopping for it, it is started with as many as fit.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "coordinator/core/placement/gang_fit.h"
#include "coordinator/core/scheduling/policies/policy.h"
#include "coordinator/core/scheduling/speed_model.h"

namespace coxswain::coordinator::core {

struct PlanRequest {
  const SchedulingSettings* settings;
  PlacementView* fleet;  // what is free; left as it was
  QueueTree* tree;       // with what running jobs hold; used up
  const Usage* usage;
  std::vector<WaitingJob> waiting;  // and running ones that are lost
  std::vector<RunningJob> running;
  std::function<PendingJob(JobId)> needs;  // of a waiting job; asked when its turn comes
  std::function<Holding(JobId)> held;      // by a running job
  std::function<SpeedModel(JobId)> speed;  // of a job whose size may move
  // How long a waiting job would run; asked when its turn comes. Nothing: not known.
  std::function<std::optional<base::Duration>(JobId)> expected;
  std::function<std::string(JobId)> name;  // "j12 (mnist)"
  base::Time now;
  base::Duration grace;  // at most so long takes a job that was asked to let go
  bool tell = true;      // why and until when the others wait; a trial asks only who is placed
  bool estimate = true;  // when those start to whom nothing is promised, however many
};

struct Preemption {
  JobId victim, by;
  std::string why;  // "j12 (mnist) has a higher priority (5, its own is 0)"
};

// It is lost, and stays so.
struct NoRoom {
  JobId job;
  std::string why;  // "needs 2 ranks ...; free: ..."
};

// Has to let go, and is to start again with another number of ranks.
struct Resize {
  JobId job;
  uint32_t from = 1, to = 1;
  std::string why;  // "others wait for slots"
};

// It keeps its number of ranks.
struct Stay {
  JobId job;
  std::string why;  // "2 of 1..8 ranks: 4 would be 1.03 times as fast, below 1.30 times"
};

// Who lets go next of what a job waits for, as expected.
struct Release {
  JobId job;
  base::Time at;
};

struct Why {
  JobId job;
  std::string text;
  bool first = false;                // nobody is ahead of it in its queue
  std::optional<base::Time> starts;  // as expected
  std::optional<Release> next = std::nullopt;
  std::vector<JobId> kept_for;   // free slots that it would fit into are promised to these
  std::set<NodeId> kept_on;      // and are on these nodes, among others
  std::vector<JobId> waits_for;  // of the first: some of those that hold what it waits for
};

// One that waits, and is not told what for: too many others are.
struct FarJob {
  JobId job;
  QueueIndex queue = 0;
  uint64_t ahead = 0;    // jobs of its queue that wait, too
  JobId first;           // of those it waits behind; itself: it is first of its kind
  bool of_user = false;  // what its user may have holds it back: `ahead` are his
  std::optional<base::Time> starts = std::nullopt;  // a rough figure
};

struct Plan {
  std::vector<Placement> placements;
  std::vector<Preemption> preemptions;
  std::vector<Resize> resizes;
  std::vector<Stay> stays;      // of each job that could have been resized; none during a change
  std::vector<JobId> moves;     // lost ones: there is room for them elsewhere
  std::vector<NoRoom> no_room;  // other lost ones
  std::vector<Why> why;         // of the first that were looked at and not placed
  std::vector<FarJob> far;      // of the others
  bool outdated = false;        // after a job was told why it waits another one was placed
  // Who is left alone for now may be stopped then.
  std::optional<base::Time> again = std::nullopt;
  std::optional<JobId> keeps_place = std::nullopt;  // the first that is paused and has slots kept
};

Plan PlanPlacements(PlanRequest request);

}  // namespace coxswain::coordinator::core
