// One Decide in progress: the event's stamps, the tables and soft state it works on, and what has
// been decided so far. Handlers are free functions on it; tables change only through Persist.
#pragma once

#include <set>
#include <string>

#include "common/base/rng.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/core/soft.h"
#include "coordinator/core/tables/tables.h"

namespace coxswain::coordinator::core {

// Where an EventRow belongs.
struct NoteAbout {
  JobId job;
  NodeId node;
  Attempt attempt;
  Generation generation;
};

// Jobs of one user and one name are repeats of one another.
inline std::string OwnName(const JobRow& job) { return job.submitted_by + "\n" + job.request.name; }

class Turn {
 public:
  Turn(const Settings& settings, Tables* tables, Soft* soft, Time now, WallTime wall,
       uint64_t entropy);

  const Settings& settings;
  const Tables& tables;
  Soft& soft;
  const Time now;
  const WallTime wall;
  bool plans = true;  // jobs are placed at the end of it
  const base::Deadlines& deadlines() const { return settings.deadlines; }

  // Applies the change, and has it committed before anything decided in this turn is seen.
  void Persist(Change change);
  // Edits a copy of the row and persists it if that changed anything.
  template <class Edit>
  void EditJob(JobId job, Edit edit) {
    EditRow(tables.jobs().Get(job), edit);
  }
  template <class Row, class Edit>
  void EditRow(const Row& old, Edit edit) {
    Row row = old;
    edit(row);
    if (!(row == old)) Persist(std::move(row));
  }

  // To the node's stream; dropped when it has none (its next hello shows the difference).
  void Order(const NodeId& node, protocol::WorkerOrder order);
  void OrderSession(SessionId session, protocol::WorkerOrder order, bool close = false);
  void OrderRank(const RankRow& rank, protocol::TrainerOrder order);

  void Reply(core::Reply reply) { out_.replies.push_back(std::move(reply)); }
  void Note(std::string kind, std::string text, const NoteAbout& about,
            std::string severity = "info");
  void Explain(JobId job, std::string reason);  // the current reason; nothing if it is the same

  void TouchJob(JobId job) { soft.changed_jobs.insert(job); }
  void TouchNode(const NodeId& node);
  void WakeJob(JobId job, Time at) { soft.job_timers.Wake(job, at); }

  // Numbers that never come back.
  const ClusterRow& cluster() const { return cluster_; }
  ClusterRow& cluster() { return cluster_; }
  JobId NextJob() { return cluster_.last_job = cluster_.last_job.Next(); }
  CheckpointId NextCheckpoint() {
    return cluster_.last_checkpoint = cluster_.last_checkpoint.Next();
  }
  TaskId NextTask() { return cluster_.last_task = cluster_.last_task.Next(); }
  Incarnation NewIncarnation();
  uint64_t RandomBits() { return rng_.Next(); }

  std::string NodeName(const NodeId& node) const;
  std::string NodeNames(const std::set<NodeId>& nodes) const;  // "node-a, node-b"
  Decisions Finish();

 private:
  Tables* mutable_tables_;
  base::Rng rng_;
  ClusterRow cluster_;  // written once, by Finish
  Decisions out_;
};

}  // namespace coxswain::coordinator::core
