#include "coordinator/core/handlers/generation_handler.h"

#include <algorithm>

#include "coordinator/core/handlers/attempt_handler.h"
#include "coordinator/core/handlers/begin_text.h"
#include "coordinator/core/handlers/checkpoint_handler.h"
#include "coordinator/core/handlers/retry_verdict.h"
#include "coordinator/core/handlers/speed_handler.h"
#include "coordinator/core/handlers/trouble_handler.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

constexpr uint32_t kFormTries = 3;
constexpr base::Duration kBatchPause = base::seconds(15);  // between two looks at the batch
constexpr base::Duration kSilent = base::seconds(10);      // or two leases: people are told

// The generation of the active attempt that is in force; null: none yet.
const GenerationRow* Current(const Turn& turn, const AttemptRow& attempt) {
  const GenerationRow* generation = turn.tables.attempts().Generation(attempt.job);
  if (generation == nullptr || generation->attempt != attempt.number || generation->closed) {
    return nullptr;
  }
  return generation;
}

void SendFormGeneration(Turn& turn, const RankRow& rank, const GenerationRow& generation) {
  const JobRow& job = turn.tables.jobs().Get(rank.key.job);
  turn.soft.jobs[job.id].ranks[rank.key.rank].next_form = turn.now + turn.deadlines().Repeat();
  protocol::FormGeneration order;
  order.generation = generation.generation;
  order.members = generation.members;
  order.restore = RestoreCandidates(turn, job);
  order.allow_uncommitted = job.allow_uncommitted;
  order.global_batch = generation.batch;
  order.memory_kills = MemoryKills(turn, job);
  if (const CheckpointRow* best = turn.tables.checkpoints().Best(job.id)) {
    order.has_best = true;
    order.best = {best->id, best->uri, best->manifest_hash};
    order.best_metric = best->metric;
  }
  turn.OrderRank(rank, std::move(order));
}

void MakeGeneration(Turn& turn, const AttemptRow& attempt) {
  JobId job = attempt.job;
  JobSoft& soft = turn.soft.jobs[job];
  std::optional<GenerationRow> before;
  if (const GenerationRow* old = turn.tables.attempts().Generation(job)) {
    before = *old;
    turn.EditRow(*old, [](GenerationRow& row) { row.closed = true; });
    AbortOpenCheckpoints(turn, job, "a new generation was made before it was committed");
  }
  Generation number = turn.tables.jobs().Get(job).generation.Next();
  turn.EditJob(job, [&](JobRow& row) { row.generation = number; });
  GenerationRow generation{
      .job = job, .generation = number, .attempt = attempt.number, .made = turn.wall};
  generation.batch = BatchFor(turn, attempt);
  std::vector<const RankRow*> ranks = turn.tables.ranks().Of(job, attempt.number);
  for (const RankRow* rank : ranks) {
    RankSoft& of_rank = soft.ranks[rank->key.rank];
    of_rank.formed = of_rank.left_group = false;
    generation.members.push_back({rank->key.rank, rank->incarnation, of_rank.ready->address});
  }
  if (before) TellBatch(turn, *before, generation);
  turn.Persist(generation);
  ++soft.forming.tries;
  soft.forming.deadline = turn.now + turn.deadlines().FormGroup();
  soft.reform_at.reset();
  soft.formed.reset();
  soft.shards.clear();
  for (const RankRow* rank : ranks) SendFormGeneration(turn, *rank, generation);
  turn.Explain(job, "generation " + std::to_string(number.value) + ": forming the group of " +
                        Plural(ranks.size(), "rank"));
  turn.WakeJob(job, turn.now + turn.deadlines().Repeat());
}

// Every rank lives and has said where it listens.
bool AllReady(const Turn& turn, const AttemptRow& attempt) {
  const JobSoft& soft = turn.soft.jobs.at(attempt.job);
  for (const RankRow* rank : turn.tables.ranks().Of(attempt.job, attempt.number)) {
    auto of_rank = soft.ranks.find(rank->key.rank);
    if (rank->exit || of_rank == soft.ranks.end() || !of_rank->second.ready) return false;
  }
  return true;
}

void FormIfAllReady(Turn& turn, const AttemptRow& attempt) {
  if (attempt.cause != Cause::kNone || Current(turn, attempt) != nullptr) return;
  if (AllReady(turn, attempt)) return MakeGeneration(turn, attempt);
  if (turn.soft.held.contains(attempt.job)) return;  // that says more
  const auto ranks = turn.tables.ranks().Of(attempt.job, attempt.number);
  uint64_t ready = 0;
  for (const RankRow* rank : ranks) {
    ready += turn.soft.jobs[attempt.job].ranks[rank->key.rank].ready.has_value() ? 1 : 0;
  }
  turn.Explain(attempt.job, "starting: " + std::to_string(ready) + " of " +
                                Plural(ranks.size(), "rank") + " ready");
}

void NoteHeard(const Turn& turn, RankSoft* rank) {
  rank->heard = turn.wall;
  rank->silent_from = turn.wall + std::max(kSilent, turn.deadlines().lease * 2);
}

// "; rank 1 on node-b did not join"; empty: each has, or none.
std::string WhoDidNotJoin(const Turn& turn, const AttemptRow& attempt) {
  const JobSoft& soft = turn.soft.jobs.at(attempt.job);
  std::string who;
  size_t missing = 0;
  const std::vector<const RankRow*> ranks = turn.tables.ranks().Of(attempt.job, attempt.number);
  for (const RankRow* rank : ranks) {
    const RankSoft& of_rank = soft.ranks.at(rank->key.rank);
    if (of_rank.formed || of_rank.left_group) continue;
    ++missing;
    who += (who.empty() ? "; rank " : ", rank ") + std::to_string(rank->key.rank) + " on " +
           turn.NodeName(rank->node);
  }
  return missing == 0 || missing == ranks.size() ? "" : who + " did not join";
}

// A new membership of the same ranks, soon: unless one of them turns out to be dead meanwhile.
void ReformSoon(Turn& turn, const RankRow& rank) {
  JobSoft& soft = turn.soft.jobs[rank.key.job];
  soft.ranks[rank.key.rank].left_group = true;
  if (soft.reform_at) return;
  soft.reform_at = turn.now + turn.deadlines().Repeat() * 2;
  turn.WakeJob(rank.key.job, *soft.reform_at);
}

// The store was restored from an older copy, so that the ranks are in a generation that it does not
// know: they are given one above it.
void GoAbove(Turn& turn, const RankRow& rank, const GenerationRow* ours, Generation theirs) {
  if (theirs <= turn.tables.jobs().Get(rank.key.job).generation) return;
  turn.EditJob(rank.key.job, [&](JobRow& row) { row.generation = theirs; });
  if (ours != nullptr) ReformSoon(turn, rank);
}

// 0: not one that we know of.
CheckpointId IdOf(const Turn& turn, JobId job, const std::string& uri) {
  for (const CheckpointRow* each : turn.tables.checkpoints().OfJob(job)) {
    if (each->uri == uri) return each->id;
  }
  for (const auto& asked : turn.tables.jobs().Get(job).request.resume_from) {
    if (asked.uri == uri) return asked.id;
  }
  return {};
}

void TakeRefused(Turn& turn, JobId job, const protocol::GenerationFormed& report) {
  for (const auto& refused : report.refused) {
    CheckpointId id = IdOf(turn, job, refused.uri);
    std::string name = id ? base::ToString(id) : refused.uri;
    if (refused.corrupt && id) turn.Persist(CheckpointDamaged{id, refused.reason});
    turn.Note(refused.corrupt ? "CheckpointCorrupt" : "CheckpointUnreadable",
              name + " was not used for the restore: " + refused.reason,
              {.job = job, .generation = report.generation}, refused.corrupt ? "error" : "warning");
  }
}

void StartRunning(Turn& turn, const AttemptRow& attempt, const GenerationRow& generation) {
  JobId job = attempt.job;
  JobSoft& soft = turn.soft.jobs[job];
  soft.forming.deadline.reset();
  soft.progress_at = turn.now;
  turn.EditRow(generation, [&](GenerationRow& row) { row.formed = turn.wall; });
  for (const protocol::RankKey& key : turn.tables.ranks().Keys(job, attempt.number)) {
    turn.EditRow(*turn.tables.ranks().Find(key),
                 [](RankRow& row) { row.state = protocol::RankState::kRunning; });
  }
  // What was ordered when the attempt was placed need not be what could be restored. Survivors
  // restore nothing: the row has where their state came from.
  if (soft.formed && (soft.formed->step == 0 || !soft.formed->restored_uri.empty())) {
    turn.EditRow(attempt, [&](AttemptRow& row) {
      row.resumed_uri = soft.formed->restored_uri;
      row.resumed = soft.formed->restored;
      row.resumed_position = soft.formed->position;
    });
  }
  std::string text = "running on " + Plural(generation.members.size(), "rank") + ", " +
                     WhereItBegan(turn, attempt);
  turn.EditJob(job, [&](JobRow& row) {
    row.state = JobState::kRunning;
    row.reason = text;
    if (!row.started) row.started = turn.wall;
  });
  turn.Note("JobRunning", text,
            {.job = job, .attempt = attempt.number, .generation = generation.generation});
  turn.Explain(job, "");
  turn.TouchJob(job);
}

void MarkFormed(Turn& turn, const RankRow& rank, const AttemptRow& attempt,
                const GenerationRow& generation) {
  JobSoft& soft = turn.soft.jobs[rank.key.job];
  soft.ranks[rank.key.rank].formed = true;
  if (generation.formed || attempt.cause != Cause::kNone) return;
  for (const protocol::Member& member : generation.members) {
    if (!soft.ranks[member.rank].formed) return;
  }
  StartRunning(turn, attempt, generation);
}

// Programs end each in its own time: rank 0's may still save, and that takes a share of every rank.
bool GivesShareOfLastSave(const Turn& turn, const RankRow& rank) {
  if (rank.key.rank == 0 || !turn.tables.jobs().Get(rank.key.job).request.own_program) return false;
  const RankRow* first = turn.tables.ranks().Find({rank.key.job, rank.key.attempt, 0});
  return turn.soft.jobs.at(rank.key.job).saves_last && first != nullptr && !first->exit;
}

// A new generation of the same ranks, if another batch is worth it. Returns when to look again.
std::optional<Time> TickBatch(Turn& turn, const AttemptRow& attempt,
                              const GenerationRow& generation) {
  const JobRequest& request = turn.tables.jobs().Get(attempt.job).request;
  if (request.max_batch <= request.batch || attempt.cause != Cause::kNone) return std::nullopt;
  if (WantsOtherBatch(turn, attempt, generation) && AllReady(turn, attempt)) {
    MakeGeneration(turn, attempt);
    return turn.now + turn.deadlines().Repeat();
  }
  return turn.now + kBatchPause;
}

}  // namespace

void Handle(Turn& turn, const RankRow& rank, const protocol::TrainerReady& report) {
  const AttemptRow* attempt = turn.tables.attempts().Active(rank.key.job);
  turn.soft.jobs[rank.key.job].ranks[rank.key.rank].ready = report;
  if (rank.state == protocol::RankState::kStarting) {
    turn.EditRow(rank, [](RankRow& row) { row.state = protocol::RankState::kReady; });
    turn.TouchJob(rank.key.job);
  }
  const GenerationRow* generation = Current(turn, *attempt);
  if (generation == nullptr) return FormIfAllReady(turn, *attempt);
  if (attempt->cause != Cause::kNone) return;
  if (!generation->formed) return SendFormGeneration(turn, rank, *generation);
  // After a broken link a trainer says where it is; only one that is elsewhere needs a new
  // generation.
  if (report.generation != generation->generation) ReformSoon(turn, rank);
}

void Handle(Turn& turn, const RankRow& rank, const protocol::GenerationFormed& report) {
  const AttemptRow* attempt = turn.tables.attempts().Active(rank.key.job);
  const GenerationRow* generation = Current(turn, *attempt);
  if (generation == nullptr || generation->generation != report.generation) return;
  JobSoft& soft = turn.soft.jobs[rank.key.job];
  if (rank.key.rank == 0 && !soft.formed && !generation->formed) {
    soft.formed = report;
    TakeRefused(turn, rank.key.job, report);
  }
  // Programs begin each in its own time: rank 0's may have saved already.
  if (turn.tables.jobs().Get(rank.key.job).request.own_program) RepeatCheckpoints(turn, rank);
  MarkFormed(turn, rank, *attempt, *generation);
}

void Handle(Turn& turn, const RankRow& rank, const protocol::TrainerProgress& report) {
  const AttemptRow* attempt = turn.tables.attempts().Active(rank.key.job);
  const GenerationRow* generation = Current(turn, *attempt);
  GoAbove(turn, rank, generation, report.generation);
  if (generation == nullptr || generation->generation != report.generation) return;
  JobSoft& soft = turn.soft.jobs[rank.key.job];
  RankSoft& of_rank = soft.ranks[rank.key.rank];
  // A rank that works in the generation has formed it, even if its word of that was lost.
  if (report.phase >= protocol::Phase::kData && !of_rank.formed) {
    MarkFormed(turn, rank, *attempt, *generation);
  }
  auto node = turn.soft.nodes.find(rank.node);
  // Forming a group that lacks a rank is no progress.
  bool moved = generation->formed && (report.step != of_rank.step || report.phase != of_rank.phase);
  if (report.step > soft.best_step) {
    soft.forming.tries = 0;
    soft.forming.batch = report.global_batch;
  }
  if (moved && node != turn.soft.nodes.end() && node->second.reachable) soft.progress_at = turn.now;
  TakeTroubles(turn, rank, report);
  of_rank.step = report.step;
  of_rank.phase = report.phase;
  NoteHeard(turn, &of_rank);
  soft.best_step = std::max(soft.best_step, report.step);
  if (!soft.progress || rank.key.rank <= soft.progress_rank) {
    int64_t known = soft.progress ? soft.progress->total_steps : 0;
    soft.progress = report;
    if (report.total_steps == 0) soft.progress->total_steps = known;
    soft.progress_rank = rank.key.rank;
    soft.progress_wall = turn.wall;
    soft.progress_heard = turn.now;
    MeasureStep(turn, *attempt, *generation, report);
  }
  turn.TouchJob(rank.key.job);
}

void Handle(Turn& turn, const RankRow& rank, const protocol::CollectiveFailed& report) {
  const AttemptRow* attempt = turn.tables.attempts().Active(rank.key.job);
  const GenerationRow* generation = Current(turn, *attempt);
  if (generation == nullptr || generation->generation != report.generation) return;
  JobSoft& soft = turn.soft.jobs[rank.key.job];
  soft.best_step = std::max(soft.best_step, report.step);
  if (attempt->cause != Cause::kNone) return;
  if (!soft.reform_at) {
    turn.Note("CollectiveFailed",
              "rank " + std::to_string(rank.key.rank) + " on " + turn.NodeName(rank.node) +
                  " lost the others at " + StepText(report.step) + ": " + report.reason +
                  "; either a rank has ended, or the network failed and all form a new group",
              {rank.key.job, rank.node, rank.key.attempt, report.generation}, "warning");
  }
  ReformSoon(turn, rank);
}

void Handle(Turn& turn, const RankRow& rank, const protocol::TrainingFinished& report) {
  JobId job = rank.key.job;
  const AttemptRow* attempt = turn.tables.attempts().Active(job);
  const GenerationRow* generation = Current(turn, *attempt);
  if (generation == nullptr || generation->generation != report.generation) return;
  turn.soft.jobs[job].best_step = std::max(turn.soft.jobs[job].best_step, report.step);
  if (report.stopped && GivesShareOfLastSave(turn, rank)) return;  // it asks again
  if (report.stopped) turn.soft.jobs[job].resizing.let_go = report.step <= SavedStep(turn, job);
  // Stopped by us: it may go. Stopped from outside: its exit says so, and the job is tried again.
  if (report.stopped) return turn.OrderRank(rank, protocol::FinishAcknowledged{});
  turn.EditRow(rank, [](RankRow& row) { row.finished = true; });
  if (rank.key.rank == 0) {
    MarkFinal(turn, job, report.step);
    turn.EditJob(job, [&](JobRow& row) { row.model_uri = report.model_uri; });
    if (!report.reason.empty() && attempt->cause == Cause::kNone) {
      turn.EditRow(*attempt, [&](AttemptRow& row) { row.reason = report.reason; });
    }
  }
  // Nobody leaves while another rank may still need it.
  std::vector<const RankRow*> ranks = turn.tables.ranks().Of(job, attempt->number);
  for (const RankRow* each : ranks) {
    if (!each->finished) return;
  }
  for (const RankRow* each : ranks) {
    if (!each->exit) turn.OrderRank(*each, protocol::FinishAcknowledged{});
  }
}

void CatchUp(Turn& turn, const RankRow& rank, const std::optional<protocol::TrainerReady>& ready) {
  const AttemptRow* attempt = turn.tables.attempts().Active(rank.key.job);
  if (attempt == nullptr || attempt->number != rank.key.attempt) return;
  JobSoft& soft = turn.soft.jobs[rank.key.job];
  if (ready) soft.ranks[rank.key.rank].ready = ready;
  if (ready && rank.state == protocol::RankState::kStarting) {
    turn.EditRow(rank, [](RankRow& row) { row.state = protocol::RankState::kReady; });
  }
  if (soft.stop_at && attempt->cause != Cause::kNone && !attempt->user_error) {
    turn.OrderRank(rank, protocol::StopTraining{true, attempt->reason});
  }
  const GenerationRow* generation = Current(turn, *attempt);
  if (generation == nullptr) return FormIfAllReady(turn, *attempt);
  if (!generation->formed && !soft.ranks[rank.key.rank].formed) {
    SendFormGeneration(turn, rank, *generation);
    turn.WakeJob(rank.key.job, turn.now + turn.deadlines().Repeat());
  }
  RepeatCheckpoints(turn, rank);
}

std::optional<Time> TickGeneration(Turn& turn, const AttemptRow& attempt) {
  const GenerationRow* generation = Current(turn, attempt);
  JobSoft& soft = turn.soft.jobs[attempt.job];
  if (generation == nullptr) {
    FormIfAllReady(turn, attempt);
    return std::nullopt;
  }
  bool reform = soft.reform_at && *soft.reform_at <= turn.now;
  bool late = !generation->formed && soft.forming.deadline && *soft.forming.deadline <= turn.now;
  if (reform || late) {
    for (const RankRow* rank : turn.tables.ranks().Of(attempt.job, attempt.number)) {
      // Unreachable or about to be told dead: the node's own deadline decides.
      if (!rank->exit && turn.soft.nodes[rank->node].reachable) continue;
      if (rank->finished) continue;
      return turn.now + turn.deadlines().Repeat();
    }
    if (soft.forming.tries >= kFormTries && !GoBackToBatch(turn, attempt, *generation)) {
      FailAttempt(turn, attempt.job,
                  {.reason = "the group of ranks could not be formed " +
                             std::to_string(kFormTries) + " times" + WhoDidNotJoin(turn, attempt),
                   .kind = protocol::FailureKind::kLostPeer});
      return std::nullopt;
    }
    if (!AllReady(turn, attempt)) return turn.now + turn.deadlines().Repeat();
    MakeGeneration(turn, attempt);
    return turn.now + turn.deadlines().Repeat();
  }
  std::optional<Time> next = soft.reform_at;
  if (generation->formed) return next ? next : TickBatch(turn, attempt, *generation);
  for (const RankRow* rank : turn.tables.ranks().Of(attempt.job, attempt.number)) {
    RankSoft& of_rank = soft.ranks[rank->key.rank];
    if (rank->exit || of_rank.formed || of_rank.left_group) continue;
    if (of_rank.next_form <= turn.now) SendFormGeneration(turn, *rank, *generation);
    if (!next || of_rank.next_form < *next) next = of_rank.next_form;
  }
  const std::optional<Time>& deadline = soft.forming.deadline;
  return deadline && (!next || *deadline < *next) ? deadline : next;
}

}  // namespace coxswain::coordinator::core
