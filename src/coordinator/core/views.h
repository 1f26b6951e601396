// The soft part of what people see, published by the core for readers. Everything durable is read
// from the store; this is laid over it.
#pragma once

#include <set>

#include "coordinator/core/rows.h"
#include "coordinator/core/scheduling/queue_tree.h"

namespace coxswain::coordinator::core {

struct LiveRank {
  Rank rank = 0;
  bool reachable = true;
  protocol::Phase phase = protocol::Phase::kStarting;
  int64_t step = 0;
  // Its last word of what it does; 0: none yet, or nobody waits for one. A trainer says so several
  // times a second: one that has said nothing by `silent_from` is stopped, or hangs.
  WallTime heard, silent_from;
};

// What is held and waited for in one queue, with those below it.
struct LiveUser {
  Amount held;
  int64_t running = 0;  // jobs
  int64_t used = 0;     // decayed charge, of what still runs too: see scheduling/usage.h
  double share = 0;     // of all that was used of the queue; 0 to 1
};
struct LiveQueue {
  QueueSettings settings;
  Amount held;
  uint64_t running = 0, pending = 0;  // jobs
  int64_t used = 0;                   // as LiveUser::used, of all users
  int64_t fair = 0;  // what `fair` compares with that of its sisters; the least goes first
  std::map<std::string, LiveUser> users;
  // Jobs of queues that are no longer configured, by name: they count as this one's.
  std::map<std::string, uint64_t> strays;
};

struct LiveJob {
  JobId id;
  bool gone = false;                                  // final: forget the view
  std::string reason;                                 // the current one, with numbers
  std::optional<protocol::TrainerProgress> progress;  // of the lowest rank that reported
  WallTime progress_at;
  std::vector<LiveRank> ranks;
  std::vector<std::string> conditions;
  std::string batch_reason;  // why the batch is as it is, of a job with a range that runs
  std::string size_reason;   // likewise, the number of its ranks
  WallTime expected_start;   // while it waits; 0: not known
  std::string next_release;  // "j12 (mnist)": lets go next of what it waits for; empty: not known
  WallTime next_release_at;
  JobId next_release_job;
  std::string kept_for;      // "j12 (mnist)": free slots that it would fit into are promised to it
  std::set<NodeId> kept_on;  // and are on these nodes, among others
  WallTime expected_end;     // while it holds slots; 0: not known
  bool held = false;         // its nodes are lost, and there is no other place for it
  NodeId tied_to;            // the only node known to see its file:// checkpoints; empty: none
  std::set<NodeId> unseen;   // these do not see them
};

// Nothing of its view has changed but this.
struct HeardNode {
  NodeId id;
  WallTime last_heartbeat;
};

struct LiveNode {
  NodeId id;
  bool gone = false;
  bool reachable = false;
  bool left = false;  // its worker said that it shuts down, and no rank of it is left behind
  Incarnation incarnation;
  WallTime last_heartbeat, connected;
  WallTime away_since;  // of one that cannot be reached; 0: since before the coordinator started
  uint32_t cpu_slots_free = 0;
  int64_t memory_free = 0;
  std::vector<JobId> jobs;
  std::map<std::string, JobId> gpu_jobs;  // by UUID
  std::vector<std::string> conditions;    // beside those of its inventory
};

}  // namespace coxswain::coordinator::core
