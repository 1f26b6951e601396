#include "coordinator/core/handlers/checkpoint_handler.h"

#include "common/base/byte_text.h"
#include "coordinator/core/handlers/store_work_handler.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

constexpr size_t kRestoreCandidates = 8;

std::string Digits(int64_t number, size_t width) {
  std::string out = std::to_string(number);
  return out.size() >= width ? out : std::string(width - out.size(), '0') + out;
}

// Why nothing of `generation` is accepted from this sender; empty: it is.
std::string WhyStale(const Turn& turn, const TrainerSender& from, Generation generation) {
  const JobRow* job = turn.tables.jobs().Find(from.key.job);
  if (job == nullptr) return base::ToString(from.key.job) + " has ended";
  const AttemptRow* attempt = turn.tables.attempts().Active(job->id);
  if (attempt == nullptr || attempt->number != from.key.attempt) {
    return "attempt " + std::to_string(from.key.attempt.value) + " is over; the newest is " +
           std::to_string(job->attempt.value);
  }
  if (from.rank == nullptr) {
    return "rank " + std::to_string(from.key.rank) + " has been replaced by another process";
  }
  const GenerationRow* newest = turn.tables.attempts().Generation(job->id);
  if (newest == nullptr || newest->generation != generation || newest->closed) {
    return "generation " + std::to_string(generation.value) + " is over; the newest is " +
           std::to_string(job->generation.value);
  }
  return "";
}

// `step` 0: it is not known any more.
void Refuse(Turn& turn, const TrainerSender& from, CheckpointId id, int64_t step,
            Generation generation, const std::string& reason) {
  protocol::CheckpointRefused order{id, step, generation, reason};
  turn.OrderSession(from.session, protocol::ToTrainer{from.key, from.incarnation, order});
  if (turn.tables.jobs().Find(from.key.job) == nullptr) return;
  int64_t& said = turn.soft.jobs[from.key.job].told.refused_step;
  if (said == step) return;
  said = step;
  std::string name = id ? base::ToString(id) : "the checkpoint";
  turn.Note("CheckpointRefused",
            name + (step > 0 ? " of " + StepText(step) : "") + " from rank " +
                std::to_string(from.key.rank) + " on " + turn.NodeName(from.node) + ": " + reason,
            {from.key.job, from.node, from.key.attempt, generation}, "warning");
}

std::string StoreOf(const Turn& turn, const JobRow& job) {
  std::string store = job.request.store.empty() ? turn.settings.default_store : job.request.store;
  while (!store.empty() && store.back() == '/') store.pop_back();
  return store;
}

// To every rank of the active attempt that is there.
void Tell(Turn& turn, JobId job, const protocol::TrainerOrder& order) {
  const AttemptRow* attempt = turn.tables.attempts().Active(job);
  if (attempt == nullptr) return;
  for (const RankRow* rank : turn.tables.ranks().Of(job, attempt->number)) {
    if (!rank->exit) turn.OrderRank(*rank, order);
  }
}

protocol::CheckpointOpened OpenedOrder(const CheckpointRow& row) {
  return {row.id, row.step, row.generation, row.uri};
}

const CheckpointRow* FindOfStep(const Turn& turn, JobId job, Generation generation, int64_t step) {
  const CheckpointRow* found = nullptr;
  for (const CheckpointRow* row : turn.tables.checkpoints().OfJob(job)) {
    if (row->generation == generation && row->step == step) found = row;
  }
  return found;
}

CheckpointRow OpenRow(Turn& turn, const TrainerSender& from,
                      const protocol::OpenCheckpoint& report) {
  const JobRow& job = turn.tables.jobs().Get(from.key.job);
  CheckpointRow row;
  row.id = turn.NextCheckpoint();
  row.job = job.id;
  row.generation = report.generation;
  row.step = report.step;
  row.position = report.position;
  row.uri = StoreOf(turn, job) + "/" + turn.cluster().id.value + "/" + base::ToString(job.id) +
            "/step-" + Digits(report.step, 8) + "-g" + std::to_string(report.generation.value) +
            "-" + Hex8(turn.RandomBits());
  row.final = report.final;
  row.best = report.best;
  row.metric = report.metric;
  row.node = from.rank->node;
  row.opened = turn.wall;
  turn.Persist(row);
  return row;
}

// Answers a report about a checkpoint that is not open any more. False: it is open.
bool AnswerIfSettled(Turn& turn, const TrainerSender& from, CheckpointId id,
                     Generation generation) {
  const CheckpointRow* row = turn.tables.checkpoints().Find(id);
  if (row != nullptr && row->job == from.key.job && row->state != CheckpointState::kOpen &&
      row->state != CheckpointState::kAborted) {
    turn.OrderSession(from.session,
                      protocol::ToTrainer{from.key, from.incarnation,
                                          protocol::CheckpointCommitted{id, row->manifest_hash}});
    return true;
  }
  // The store was restored from an older copy: numbers go above those that ranks hold.
  if (id > turn.cluster().last_checkpoint) turn.cluster().last_checkpoint = id;
  std::string why = WhyStale(turn, from, generation);
  if (why.empty() && (row == nullptr || row->job != from.key.job)) {
    why = base::ToString(id) + " is not known";
  }
  if (why.empty() && row->state == CheckpointState::kAborted) why = row->reason;
  if (why.empty()) return false;
  Refuse(turn, from, id, row == nullptr ? 0 : row->step, generation, why);
  return true;
}

}  // namespace

std::vector<protocol::RestoreCandidate> RestoreCandidates(const Turn& turn, const JobRow& job) {
  std::vector<protocol::RestoreCandidate> found;
  std::vector<const CheckpointRow*> rows = turn.tables.checkpoints().OfJob(job.id);
  for (auto row = rows.rbegin(); row != rows.rend() && found.size() < kRestoreCandidates; ++row) {
    if (CanRestore(**row)) found.push_back({(*row)->id, (*row)->uri, (*row)->manifest_hash});
  }
  // Without an id: asked for by the user, so that a start afresh is no way out.
  for (const protocol::RestoreCandidate& asked : job.request.resume_from) {
    found.push_back({CheckpointId(), asked.uri, asked.manifest_hash});
  }
  if (job.request.resume_from.empty() && !job.resume_uri.empty()) {
    found.push_back({CheckpointId(), job.resume_uri, ""});
  }
  return found;
}

void Handle(Turn& turn, const TrainerSender& from, const protocol::OpenCheckpoint& report) {
  std::string why = WhyStale(turn, from, report.generation);
  if (!why.empty()) return Refuse(turn, from, {}, report.step, report.generation, why);
  JobId job = from.key.job;
  const CheckpointRow* row = FindOfStep(turn, job, report.generation, report.step);
  if (row != nullptr && row->state == CheckpointState::kOpen) {
    return Tell(turn, job, OpenedOrder(*row));
  }
  if (row != nullptr && row->state != CheckpointState::kAborted) {
    return Tell(turn, job, protocol::CheckpointCommitted{row->id, row->manifest_hash});
  }
  Cause cause = turn.tables.attempts().Active(job)->cause;
  if (IsFailure(cause)) {
    return Refuse(turn, from, {}, report.step, report.generation, "the attempt is being stopped");
  }
  Tell(turn, job, OpenedOrder(OpenRow(turn, from, report)));
}

void Handle(Turn& turn, const TrainerSender& from, const protocol::ShardStored& report) {
  if (AnswerIfSettled(turn, from, report.id, report.generation)) return;
  JobId job = from.key.job;
  std::map<Rank, protocol::Shard>& shards = turn.soft.jobs[job].shards[report.id];
  shards[report.shard.rank] = report.shard;
  const GenerationRow* generation = turn.tables.attempts().Generation(job);
  if (shards.size() < generation->members.size()) return;
  protocol::WriteManifest order{report.id, {}};
  for (const auto& [rank, shard] : shards) order.shards.push_back(shard);
  for (const RankRow* rank : turn.tables.ranks().Of(job, from.key.attempt)) {
    if (rank->key.rank == 0 && !rank->exit) turn.OrderRank(*rank, order);
  }
}

void Handle(Turn& turn, const TrainerSender& from, const protocol::ManifestWritten& report) {
  if (AnswerIfSettled(turn, from, report.id, report.generation)) return;
  JobId job = from.key.job;
  const CheckpointRow& row = *turn.tables.checkpoints().Find(report.id);
  turn.EditRow(row, [&](CheckpointRow& changed) {
    changed.state = CheckpointState::kCommitted;
    changed.manifest_hash = report.manifest_hash;
    changed.bytes = report.bytes;
    changed.shards = report.shards;
    changed.committed = turn.wall;
  });
  turn.soft.jobs[job].shards.erase(report.id);
  turn.Note("CheckpointCommitted",
            base::ToString(row.id) + MarksOf(row) + " of " + StepText(row.step) + ": " +
                base::ExactBytesText(row.bytes) + " in " + Plural(row.shards, "shard"),
            {job, from.node, from.key.attempt, row.generation});
  Tell(turn, job, protocol::CheckpointCommitted{row.id, row.manifest_hash});
  turn.TouchJob(job);
  MarkForCollection(turn, job);
  WantStoreWork(turn, job);
}

void Handle(Turn& turn, const TrainerSender& from, const protocol::CheckpointFailed& report) {
  const CheckpointRow* row = turn.tables.checkpoints().Find(report.id);
  if (row == nullptr || row->job != from.key.job || row->state != CheckpointState::kOpen ||
      !WhyStale(turn, from, report.generation).empty()) {
    return;
  }
  std::string why =
      "rank " + std::to_string(from.key.rank) + " could not store its share: " + report.reason;
  turn.EditRow(*row, [&](CheckpointRow& changed) {
    changed.state = CheckpointState::kAborted;
    changed.collect = true;
    changed.reason = why;
  });
  turn.soft.jobs[from.key.job].shards.erase(report.id);
  turn.Note("CheckpointFailed",
            base::ToString(report.id) + " of " + StepText(report.step) + ": " + why,
            {from.key.job, from.node, from.key.attempt, report.generation}, "warning");
  Tell(turn, from.key.job,
       protocol::CheckpointRefused{report.id, report.step, report.generation, why});
  WantStoreWork(turn, from.key.job);
}

// Its trainers need not have known it: an early stop falls on a step that was saved anyway.
void MarkFinal(Turn& turn, JobId job, int64_t step) {
  const CheckpointRow* newest = nullptr;
  for (const CheckpointRow* row : turn.tables.checkpoints().OfJob(job)) {
    if (CanRestore(*row)) newest = row;
  }
  if (newest == nullptr || newest->final || newest->step != step) return;
  turn.EditRow(*newest, [](CheckpointRow& row) { row.final = true; });
}

void AbortOpenCheckpoints(Turn& turn, JobId job, const std::string& reason) {
  for (const CheckpointRow* row : turn.tables.checkpoints().OfJob(job)) {
    if (row->state != CheckpointState::kOpen) continue;
    turn.EditRow(*row, [&](CheckpointRow& changed) {
      changed.state = CheckpointState::kAborted;
      changed.collect = true;
      changed.reason = reason;
    });
    WantStoreWork(turn, job);
  }
}

void RepeatCheckpoints(Turn& turn, const RankRow& rank) {
  const GenerationRow* generation = turn.tables.attempts().Generation(rank.key.job);
  const CheckpointRow* committed = nullptr;
  for (const CheckpointRow* row : turn.tables.checkpoints().OfJob(rank.key.job)) {
    if (row->generation != generation->generation) continue;
    if (row->state == CheckpointState::kOpen) turn.OrderRank(rank, OpenedOrder(*row));
    if (CanRestore(*row)) committed = row;
  }
  if (committed == nullptr) return;
  turn.OrderRank(rank, protocol::CheckpointCommitted{committed->id, committed->manifest_hash});
}

}  // namespace coxswain::coordinator::core
