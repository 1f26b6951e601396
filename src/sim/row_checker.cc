#include "sim/row_checker.h"

#include <algorithm>

#include "sim/place_checker.h"
#include "sim/world.h"

namespace coxswain::sim {
namespace {

using core::CheckpointState;
using core::JobState;

std::string Name(base::JobId job, base::Attempt attempt) {
  return base::ToString(job) + " attempt " + std::to_string(attempt.value);
}

}  // namespace

void RowChecker::Require(bool holds, const std::string& what) {
  if (!holds) world_.journal.Fail("committed rows: " + what);
}

bool RowChecker::Happened(Counted what) const {
  return world_.journal.counts()[static_cast<size_t>(what)] > 0;
}

void RowChecker::Check(const Rows& rows, const core::Change& change) {
  std::visit([&](const auto& row) { On(rows, row); }, change);
}

void RowChecker::On(const Rows& rows, const core::ClusterRow& row) {
  const core::ClusterRow& old = rows.cluster;
  Require(row.term >= old.term && row.last_job >= old.last_job &&
              row.last_checkpoint >= old.last_checkpoint && row.last_task >= old.last_task &&
              row.last_event >= old.last_event,
          "a counter of the cluster goes back");
}

void RowChecker::On(const Rows& rows, const core::EventRow& row) {
  Require(row.seq > rows.last_event, "event " + std::to_string(row.seq.value) + " comes again");
}

void RowChecker::On(const Rows& rows, const core::JobRow& row) {
  std::string name = base::ToString(row.id);
  Require(row.failures <= row.request.max_attempts, name + " failed more often than it may");
  const core::JobRow* old = rows.FindJob(row.id);
  if (old == nullptr) return;
  Require(!core::IsFinal(old->state), name + " changes though it has ended");
  Require(old->generation <= row.generation, name + ": its generation goes back");
  Require(old->attempt <= row.attempt && row.attempt <= old->attempt.Next(),
          name + ": its attempt goes back or leaps");
  Require(old->failures <= row.failures, name + ": its failures are forgotten");
  Require(!old->cancel_requested || row.cancel_requested, name + ": its cancellation is forgotten");
  Require(old->idempotency_key == row.idempotency_key, name + ": another key");
  world_.journal.Add(Counted::kPreemptions, row.preemptions - old->preemptions);
  world_.journal.Add(Counted::kResizes, row.resizes - old->resizes);
  if (!core::IsFinal(row.state)) return;
  world_.Advanced();
  CheckEnd(rows, row);
}

void RowChecker::CheckEnd(const Rows& rows, const core::JobRow& row) {
  const JobPlan& plan = world_.PlanOf(row.spec_yaml);
  std::string name = base::ToString(row.id);
  bool never = plan.bad_data;
  if (row.state == JobState::kCompleted) {
    Require(!never, name + " is COMPLETED though its data is wrong");
    Require(world_.state_checker.HasFinished(plan.number),
            name + " is COMPLETED though its ranks have not finished");
    bool saved = false;
    for (const auto& [id, each] : rows.checkpoints) {
      if (each.job != row.id || each.state == CheckpointState::kOpen) continue;
      bool committed = each.state != CheckpointState::kAborted;
      saved |= committed && plan.plan.Done(each.step, each.position);
    }
    Require(saved || Happened(Counted::kBackups),
            name + " is COMPLETED without a checkpoint of its last step");
  } else if (row.state == JobState::kCancelled) {
    Require(row.cancel_requested, name + " is CANCELLED though nobody asked for it");
  } else if (row.state == JobState::kTimeout) {
    Require(row.request.time_limit.count() > 0, name + " is over a time limit it does not have");
  }
}

void RowChecker::On(const Rows& rows, const core::AttemptRow& row) {
  auto old = rows.attempts.find({row.job, row.number});
  if (old != rows.attempts.end()) {
    Require(!old->second.ended, Name(row.job, row.number) + " changes though it is over");
    return;
  }
  const core::JobRow* job = rows.FindJob(row.job);
  if (job == nullptr) return Require(false, Name(row.job, row.number) + " is of no job");
  Require(job->failures < job->request.max_attempts,
          Name(row.job, row.number) + " is one more than the job may have");
  Require(!job->cancel_requested, Name(row.job, row.number) + " starts though it was cancelled");
  CheckLimits(rows, row, *job);
  auto before = rows.attempts.find({row.job, base::Attempt(row.number.value - 1)});
  if (row.number.value == 1 || before == rows.attempts.end()) return;
  Require(static_cast<bool>(before->second.ended),
          Name(row.job, row.number) + " starts before the last one is over");
  Require(!before->second.user_error,
          Name(row.job, row.number) + " starts though the last one ended by the user's mistake");
}

// What the queues of this job, and its user, hold with it.
void RowChecker::CheckLimits(const Rows& rows, const core::AttemptRow& row,
                             const core::JobRow& job) {
  core::QueueTree tree(world_.options.scheduling);
  auto take = [&](const core::JobRow& of, uint32_t workers) {
    tree.Take(tree.Find(of.request.queue), of.submitted_by,
              {int64_t{workers} * of.request.cpus, int64_t{workers} * of.request.gpus}, 1);
  };
  for (const auto& [key, other] : rows.attempts) {
    const core::JobRow* of = other.ended ? nullptr : rows.FindJob(other.job);
    if (of != nullptr && !core::IsFinal(of->state)) take(*of, other.workers);
  }
  take(job, row.workers);
  for (core::QueueIndex queue : tree.path(tree.Find(job.request.queue))) {
    const core::QueueSettings& settings = tree.settings(queue);
    Require(!settings.limit.cpus || tree.held(queue).cpus <= *settings.limit.cpus,
            "queue " + settings.name + " holds more than its limit");
    auto user = tree.users(queue).find(job.submitted_by);
    Require(!settings.user_jobs || user->second.jobs <= *settings.user_jobs,
            "a user of queue " + settings.name + " runs more jobs than he may");
  }
}

void RowChecker::On(const Rows& rows, const core::RankRow& row) {
  const core::RankRow* old = rows.FindRank(row.key);
  if (old != nullptr) {
    Require(old->incarnation == row.incarnation && old->node == row.node,
            Name(row.key.job, row.key.attempt) + ": a rank becomes another process");
    Require(!old->exit || row.exit == old->exit,
            Name(row.key.job, row.key.attempt) + ": the end of a rank is forgotten");
    return;
  }
  CheckSlots(rows, row);
}

void RowChecker::CheckSlots(const Rows& rows, const core::RankRow& row) {
  auto node = rows.nodes.find(row.node);
  if (node == rows.nodes.end()) return Require(false, "a rank is placed on an unknown node");
  Require(!node->second.draining, "a rank is placed on " + node->second.name + ", which drains");
  uint64_t cpus = row.cpus;
  for (const auto& [key, other] : rows.ranks) {
    if (other.node != row.node || other.exit) continue;
    cpus += other.cpus;
    for (const std::string& gpu : row.gpu_uuids) {
      bool taken =
          std::find(other.gpu_uuids.begin(), other.gpu_uuids.end(), gpu) != other.gpu_uuids.end();
      Require(!taken, "GPU " + gpu + " is given to two ranks");
    }
  }
  Require(cpus <= node->second.inventory.cpu_slots,
          node->second.name + " is given more ranks than it has slots");
  std::string wrong = WhyWrongPlace(rows, row);
  Require(wrong.empty(), "rank " + std::to_string(row.key.rank) + " of " +
                             Name(row.key.job, row.key.attempt) + " on " + node->second.name +
                             ": " + wrong);
}

void RowChecker::On(const Rows& rows, const core::GenerationRow& row) {
  std::string name =
      base::ToString(row.job) + " generation " + std::to_string(row.generation.value);
  const core::GenerationRow* newest = rows.NewestGeneration(row.job);
  if (newest == nullptr || newest->generation < row.generation) {
    Require(newest == nullptr || newest->closed, name + " begins while another one is in force");
    CheckBatch(rows, row, name);
    for (const protocol::Member& member : row.members) {
      const core::RankRow* rank = rows.FindRank({row.job, row.attempt, member.rank});
      Require(rank != nullptr && rank->incarnation == member.incarnation,
              name + " has a member that is no rank of its attempt");
    }
    return;
  }
  auto old = rows.generations.find({row.job, row.generation});
  Require(old != rows.generations.end(), name + " appears below a newer one");
  if (old == rows.generations.end()) return;
  Require(!old->second.closed || row.closed, name + " is opened again");
  Require(old->second.members == row.members && old->second.batch == row.batch,
          name + " changes its members, or its batch");
}

void RowChecker::CheckBatch(const Rows& rows, const core::GenerationRow& row,
                            const std::string& name) {
  const core::JobRow* job = rows.FindJob(row.job);
  if (job == nullptr) return Require(false, name + " is of no job");
  const core::JobRequest& request = job->request;
  bool may_move = request.max_batch > request.batch;
  bool allowed =
      may_move ? row.batch >= request.batch && row.batch <= request.max_batch : row.batch == 0;
  Require(allowed, name + " takes " + std::to_string(row.batch) + " samples a step");
  const core::GenerationRow* before = rows.NewestGeneration(row.job);
  if (before == nullptr || before->batch == row.batch) return;
  world_.journal.Add(Counted::kBatchMoves);
  world_.faults.BatchMoved();
}

void RowChecker::On(const Rows& rows, const core::CheckpointRow& row) {
  auto found = rows.checkpoints.find(row.id);
  std::string name = base::ToString(row.id) + " of " + base::ToString(row.job);
  if (found == rows.checkpoints.end()) {
    const core::GenerationRow* newest = rows.NewestGeneration(row.job);
    Require(newest != nullptr && newest->generation == row.generation && !newest->closed,
            name + " is opened for generation " + std::to_string(row.generation.value) +
                ", which is not the one in force");
    return Require(row.state == CheckpointState::kOpen, name + " is not opened first");
  }
  const core::CheckpointRow& old = found->second;
  bool same = old.state == row.state;
  bool allowed =
      same || row.state == CheckpointState::kDeleted ||
      (old.state == CheckpointState::kOpen &&
       (row.state == CheckpointState::kCommitted || row.state == CheckpointState::kAborted)) ||
      ((old.state == CheckpointState::kCommitted || old.state == CheckpointState::kVerified) &&
       row.state == CheckpointState::kCorrupt) ||
      (old.state == CheckpointState::kCommitted && row.state == CheckpointState::kVerified);
  Require(allowed,
          name + " goes from " + core::ToString(old.state) + " to " + core::ToString(row.state));
  Require(row.state != CheckpointState::kDeleted || old.collect,
          name + " is deleted though it was not to be collected");
  if (!same && row.state == CheckpointState::kCommitted) CheckCommit(rows, row);
  if (!same && row.state == CheckpointState::kVerified) world_.journal.Add(Counted::kVerified);
  if (!same && row.state == CheckpointState::kCorrupt) CheckDamage(old, row.reason);
  if (!old.collect && row.collect) CheckCollect(rows, row);
}

void RowChecker::CheckCommit(const Rows& rows, const core::CheckpointRow& row) {
  world_.journal.Add(Counted::kCheckpoints);
  std::string name = base::ToString(row.id) + " of " + base::ToString(row.job);
  const core::GenerationRow* newest = rows.NewestGeneration(row.job);
  Require(newest != nullptr && newest->generation == row.generation && !newest->closed,
          name + " is committed by generation " + std::to_string(row.generation.value) +
              ", which is not the one in force");
  Require(BestPosition(rows, row.job) <= row.position, name + ": the committed position goes back");
  std::string place = world_.PlaceOf(row);
  Reading reading = world_.blobs.Read(place, row.uri, row.manifest_hash, true);
  if (!world_.blobs.EverDamaged(row.uri)) {
    Require(reading.verdict == Reading::kWhole,
            name + " is committed and not whole in its store: " + reading.why);
  }
  if (reading.verdict != Reading::kWhole) return;
  Require(reading.consistent, name + ": its shards are not of one state");
  Require(reading.step == row.step && reading.position == row.position,
          name + ": its manifest tells another step or position");
  Require(newest == nullptr || row.shards == newest->members.size(),
          name + " has not one shard of each rank");
  if (row.best) CheckBest(rows, row, reading);
}

// Better than all that a restore may still use, and evaluated as it says.
void RowChecker::CheckBest(const Rows& rows, const core::CheckpointRow& row,
                           const Reading& reading) {
  world_.journal.Add(Counted::kBests);
  std::string name = base::ToString(row.id) + " of " + base::ToString(row.job);
  const core::JobRow* job = rows.FindJob(row.job);
  if (job == nullptr) return Require(false, name + " is of no job");
  const JobPlan& plan = world_.PlanOf(job->spec_yaml);
  Require(plan.keeps_best, name + " is called the best of a job that keeps none");
  Require(plan.MetricOf(reading.state) == row.metric,
          name + " is called the best by another evaluation than its own");
  if (Happened(Counted::kBackups)) return;  // a trainer knew of better ones that are forgotten
  for (const auto& [id, other] : rows.checkpoints) {
    if (other.job != row.job || !other.best || !core::CanRestore(other)) continue;
    Require(plan.Better(row.metric, other.metric),
            name + " is called the best though " + base::ToString(id) + " is as good");
  }
}

// What is given up must be behind a newer one that was read back, or of no use.
void RowChecker::CheckCollect(const Rows& rows, const core::CheckpointRow& row) {
  bool whole = row.state == CheckpointState::kCommitted || row.state == CheckpointState::kVerified;
  if (!whole) return;
  bool newer = false, better = false;
  for (const auto& [id, other] : rows.checkpoints) {
    const bool verified = other.job == row.job && id > row.id && !other.collect &&
                          other.state == CheckpointState::kVerified;
    newer |= verified;
    better |= verified && other.best;
  }
  Require(newer, base::ToString(row.id) + " is collected though no newer one is verified");
  Require(better || !row.best,
          base::ToString(row.id) + " is collected though no newer best one is verified");
}

void RowChecker::CheckDamage(const core::CheckpointRow& row, const std::string& why) {
  if (world_.Astray(row)) return;
  Reading reading = world_.blobs.Read(world_.PlaceOf(row), row.uri, row.manifest_hash, true);
  bool forgotten = Happened(Counted::kBackups);
  Require(reading.verdict != Reading::kWhole && (forgotten || world_.blobs.EverDamaged(row.uri)),
          base::ToString(row.id) + " of " + base::ToString(row.job) +
              " is declared corrupt though it is whole: " + why);
}

void RowChecker::On(const Rows& rows, const core::CheckpointDamaged& damaged) {
  auto found = rows.checkpoints.find(damaged.id);
  if (found != rows.checkpoints.end() && core::CanRestore(found->second)) {
    CheckDamage(found->second, damaged.reason);
  }
}

void RowChecker::On(const Rows& rows, const core::DeleteJob& gone) {
  std::string name = base::ToString(gone.job);
  const core::JobRow* row = rows.FindJob(gone.job);
  if (row == nullptr) return;  // retention came twice
  Require(core::IsFinal(row->state), name + " is removed though it has not ended");
  Require(world_.options.retention.has_value(), name + " is removed though nothing is too old");
  for (const auto& [id, each] : rows.checkpoints) {
    if (each.job != gone.job) continue;
    // On a machine that was forgotten, nobody can do anything about it.
    if (row->request.local_store && !each.node.empty() && !rows.nodes.contains(each.node)) continue;
    bool left = each.collect && each.state != CheckpointState::kDeleted;
    Require(!left, name + " is removed, and " + base::ToString(id) +
                       ", which is to be collected, stays in its store for ever");
  }
  world_.journal.Add(Counted::kRetired);
  retired_[gone.job] = *row;
}

void RowChecker::On(const Rows& rows, const core::DeleteNode& gone) {
  for (const auto& [key, rank] : rows.ranks) {
    Require(rank.node != gone.id || rank.exit, "node " + gone.id.value +
                                                   " is forgotten, and may run a rank of " +
                                                   base::ToString(key.job));
  }
}

const core::JobRow* RowChecker::Retired(base::JobId job) const {
  auto found = retired_.find(job);
  return found == retired_.end() ? nullptr : &found->second;
}

void RowChecker::CheckUnused(const std::string& uri) {
  const Rows& rows = world_.coordinator->rows();
  for (const auto& [id, job] : rows.jobs) {
    if (core::IsFinal(job.state)) continue;
    bool named = job.resume_uri == uri;
    for (const auto& each : job.request.resume_from) named |= each.uri == uri;
    bool own = std::any_of(rows.checkpoints.begin(), rows.checkpoints.end(), [&](const auto& e) {
      return e.second.job == id && core::CanRestore(e.second);
    });
    Require(!named || own, uri + " is deleted from its store though " + base::ToString(id) +
                               " has yet to begin with it");
  }
}

void RowChecker::Deleting(const std::string& uri) {
  if (Happened(Counted::kBackups)) return;
  CheckUnused(uri);
  for (const auto& [id, row] : world_.coordinator->rows().checkpoints) {
    if (row.uri != uri) continue;
    Require(row.collect, base::ToString(id) + " is deleted from its store though it is wanted");
  }
}

int64_t RowChecker::BestPosition(const Rows& rows, base::JobId job) const {
  int64_t best = -1;
  for (const auto& [id, row] : rows.checkpoints) {
    if (row.job != job || !core::CanRestore(row) || row.position <= best) continue;
    if (world_.Astray(row)) continue;
    Reading reading = world_.blobs.Read(world_.PlaceOf(row), row.uri, row.manifest_hash, true);
    if (reading.verdict == Reading::kWhole) best = row.position;
  }
  return best;
}

}  // namespace coxswain::sim
