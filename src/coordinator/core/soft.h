// What the core knows and does not write down: streams, leases, progress, tasks, timers. A restart
// loses it and gets it back from what workers say.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "coordinator/core/decisions.h"
#include "coordinator/core/placement/fleet_view.h"
#include "coordinator/core/row_hash.h"
#include "coordinator/core/task_places.h"
#include "coordinator/core/views.h"

namespace coxswain::coordinator::core {

using base::Duration;
using base::Time;

struct RankSoft {
  std::optional<protocol::TrainerReady> ready;
  bool formed = false;      // of the job's newest generation
  bool left_group = false;  // its collective failed in the newest generation
  int64_t step = 0;
  protocol::Phase phase = protocol::Phase::kStarting;
  std::string waiting_for;
  int64_t at_once = 0;   // samples at a time since memory ran out; 0: it has not
  Duration away{};       // its node was out of contact for so long while it was starting
  Time next_start;       // when StartRank is repeated
  Time next_form;        // when FormGeneration is repeated
  WallTime heard;        // its last word of what it does; 0: none yet
  WallTime silent_from;  // if there is none until then, people are told
};

// The making of generations, of an active attempt.
struct Forming {
  uint32_t tries = 0;            // since the last step was made
  std::optional<Time> deadline;  // of the one that is not formed
  int64_t batch = 0;             // samples of the last step; 0: none was made
  bool keeps_batch = false;      // no group could be formed for another
};

// A store (or another thing outside) that its ranks wait for, as the history tells it.
struct Waiting {
  std::optional<Time> since;
  std::optional<Time> over;  // none of them waits since then: told once that has lasted
  std::string what;          // "checkpoint store file:///ckpt full"
};

// What the history has, so that it is told once.
struct Told {
  int64_t refused_step = -1;  // a checkpoint of this step was refused
  int64_t at_once = 0;        // memory ran out, and so few samples go through at a time; 0: all
  Waiting waiting;
};

// The number of its ranks, where that may move.
struct Resizing {
  uint32_t to = 0;          // ranks of the next attempt, as decided; 0: open
  uint32_t vain = 0;        // in a row: no room for the size that it let go for, or steps were lost
  bool lost_steps = false;  // the last time: they were not saved when it let go
  bool let_go = false;      // a rank said that it stopped as asked, with nothing left to save
  std::string why;          // it keeps as many as it has, by the last plan
};

// What the last plan expects of a job that waits. Times of 0: not known.
struct Outlook {
  WallTime start;
  JobId next;  // it lets go next of what the job waits for
  WallTime next_at;
  uint64_t ahead = 0;        // so many of its queue wait too, of one that is told no more than that
  JobId kept_for;            // slots that it would fit into are promised to this one
  std::set<NodeId> kept_on;  // and are on these nodes, among others
  friend bool operator==(const Outlook&, const Outlook&) = default;
};

struct JobSoft {
  std::string reason;
  TaskId check;                    // running check of data and store; 0: none
  std::string check_note;          // why the last check said nothing
  std::optional<Time> not_before;  // back-off
  Outlook outlook;
  Time waiting_since;  // submitted, last let go of slots, or our own start
  std::string back_off_reason;
  std::set<NodeId> store_proven;  // its file:// store is one place for these, as of this attempt
  std::set<NodeId> store_place;   // ... and was for these, the attempts before included
  std::set<NodeId> store_unseen;  // these do not see that place: not used for the attempt
  Time look_after;                // others are not asked sooner whether they see its checkpoints
  std::set<NodeId> nodes;         // that have run ranks of it
  std::set<NodeId> shuns;         // of those: it failed there, and the machine may be to blame

  // Of the active attempt:
  Time attempt_started;  // placed
  Time ready_from;       // the time to get ready counts from here: placed, or after our own start
  std::map<Rank, RankSoft> ranks;
  Forming forming;
  std::optional<Time>
      reform_at;            // a collective failed: a new generation unless something is found dead
  bool saves_last = false;  // its ranks were told to save, then to stop
  std::optional<Time> stop_at;        // saving (or leaving by itself) ends, signals begin
  std::optional<Time> stop_again_at;  // orders to stop are repeated
  Time progress_at;                   // a reachable rank moved
  int64_t best_step = 0;
  std::optional<protocol::GenerationFormed> formed;   // rank 0's
  std::optional<protocol::TrainerProgress> progress;  // lowest rank's
  Rank progress_rank = 0;
  WallTime progress_wall;  // when that came
  Time progress_heard;     // the same, by the clock that does not jump
  std::map<CheckpointId, std::map<Rank, protocol::Shard>> shards;
  Resizing resizing;
  Speed speed;  // as measured, that of the attempts before included
  Told told;

  // Keeps what belongs to the job.
  void ForgetAttempt();
};

// A failure that may be the machine's.
struct Blame {
  Time at;
  std::string who;   // user and name of the job: its repeats count once
  std::string what;  // "rank 1 crashed (SIGBUS)"
};

struct NodeSoft {
  SessionId session;  // 0: no stream
  Incarnation incarnation;
  bool reachable = false;
  bool lost = false;  // unreachable for NodeLostAfter
  bool left = false;  // said that it shuts down
  Time lease_until;
  Time unreachable_since;
  WallTime unreachable_wall;  // the same, for people; 0: not since the coordinator started
  WallTime lost_wall;         // when it counts as lost, for people; 0: likewise
  Time heard;
  WallTime connected, last_heartbeat;
  std::set<protocol::RankKey> leftovers;  // ranks it has that nobody wants, being stopped
  std::set<TaskId> tasks;
  std::map<JobId, Blame> blamed;  // by job that failed here and may not be to blame itself
  Incarnation refused;            // a second worker with this id
  Time refused_at;
};

// One step of the proof that a file:// store is one place for several machines.
struct StoreProof {
  std::string mark;
  std::vector<NodeId> machines;  // the first writes, the others must see
  size_t at = 0;                 // whose turn this step is
  CheckpointId checkpoint;       // instead of a mark: the only machine must see it
};

struct TaskSoft {
  protocol::TaskKind kind = protocol::TaskKind::kCheck;
  NodeId node;
  JobId job;                              // 0: of a submission that waits
  std::vector<CheckpointId> checkpoints;  // kVerify: one
  Time deadline;
  std::optional<StoreProof> proof;  // kCheck: only this
};

struct WaitingSubmission {
  JobSubmitted event;
  std::vector<CallId> calls;  // of the first and of every repeat
  std::string warning;        // of the check of data, store and checkpoint
};

struct EndedKey {
  JobId job;
  std::string digest;
};

// Deadlines by owner: at most one each.
template <class Owner>
class TimerTable {
 public:
  // Keeps the earlier of the two.
  void Wake(const Owner& owner, Time at) {
    auto found = at_.find(owner);
    if (found != at_.end()) {
      if (found->second <= at) return;
      due_.erase({found->second, owner});
    }
    at_[owner] = at;
    due_.insert({at, owner});
  }
  void Cancel(const Owner& owner) {
    auto found = at_.find(owner);
    if (found == at_.end()) return;
    due_.erase({found->second, owner});
    at_.erase(found);
  }
  std::optional<Time> Next() const {
    if (due_.empty()) return std::nullopt;
    return due_.begin()->first;
  }
  const std::map<Owner, Time>& all() const { return at_; }
  // Removes and returns one that is due.
  std::optional<Owner> TakeDue(Time now) {
    if (due_.empty() || due_.begin()->first > now) return std::nullopt;
    Owner owner = due_.begin()->second;
    Cancel(owner);
    return owner;
  }

 private:
  std::map<Owner, Time> at_;
  std::set<std::pair<Time, Owner>> due_;
};

// When plans are made, and how much they tell.
struct PlanTimes {
  Time not_before;    // the next one
  Time tell_all_at;   // from then on one tells each job far back in line how many are ahead of it
  bool owes = false;  // the last one did not
};

struct Soft {
  std::map<SessionId, NodeId> sessions;
  std::map<NodeId, NodeSoft> nodes;
  std::set<NodeId> forgotten;  // by `cox nodes --forget`, after they had connected in this life
  std::map<JobId, JobSoft> jobs;
  std::map<TaskId, TaskSoft> tasks;
  std::map<TaskId, WaitingSubmission> submissions;
  std::map<std::string, TaskId> submission_keys;
  std::map<std::string, EndedKey> ended_keys;  // of jobs that ended lately: the store may not show
  std::deque<std::string> ended_keys_order;    // them yet to whoever looked before
  std::map<JobId, Time> store_work;  // jobs with checkpoints to verify or collect, not before
  std::set<JobId> store_due;         // those of them whose time has come
  // Have ranks on lost nodes and do not go on: not given up while there is no other place for them.
  std::map<JobId, bool> held;  // whether that has been said

  TimerTable<JobId> job_timers;
  TimerTable<NodeId> node_timers;
  TimerTable<NodeId> drain_timers;  // jobs have to let go of a node before its deadline
  TimerTable<TaskId> task_timers;
  TimerTable<JobId> store_timers;

  std::set<JobId> elastic;  // active, and the number of their ranks may be moved

  PlacementView capacity;
  std::set<NodeId> stale_capacity;
  TaskPlaces task_places;
  Duration late{};  // of the loop, not yet granted to leases
  bool placement_due = true;
  PlanTimes plan;
  std::optional<Time> replan_at;
  bool told_gone_queues = false;              // jobs of queues that are no longer configured
  std::map<std::string, Duration> run_times;  // of jobs that completed lately, by user and name

  std::set<JobId> changed_jobs;
  std::set<NodeId> changed_nodes;
  std::set<NodeId> heard_nodes;  // and nothing else about them has changed
  std::set<JobId> blind_nodes;   // jobs for which some node does not see the store (store_unseen)
  bool changed_queues = true;

  void AddTo(RowHash& hash) const;
};

}  // namespace coxswain::coordinator::core
