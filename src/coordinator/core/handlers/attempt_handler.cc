#include "coordinator/core/handlers/attempt_handler.h"

#include <algorithm>

#include "coordinator/core/handlers/checkpoint_handler.h"
#include "coordinator/core/handlers/drain_handler.h"
#include "coordinator/core/handlers/exit_verdict.h"
#include "coordinator/core/handlers/job_end_handler.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

std::string PlacementText(const Turn& turn, const Placement& placement) {
  std::map<NodeId, uint64_t> counts;
  for (const RankSlot& slot : placement.ranks) ++counts[slot.node];
  constexpr size_t kMost = 8;
  std::string out;
  size_t told = 0;
  for (const auto& [node, count] : counts) {
    if (told++ == kMost) {
      out += " and others: " + Plural(placement.ranks.size(), "rank") + " on " +
             Plural(counts.size(), "node");
      break;
    }
    out += (out.empty() ? "" : ", ") + Plural(count, "rank") + " on " + turn.NodeName(node);
  }
  return out;
}

// A survivor's end says less than the end it follows from.
bool IsConsequence(const Turn& turn, JobId job, const std::optional<Exit>& exit) {
  const bool own_program = turn.tables.jobs().Get(job).request.own_program;
  return exit && JudgeExit(exit->record, own_program).consequence;
}

// With what it is ordered to restore; once its group has formed, the row has what it did restore.
AttemptRow NewAttempt(const Turn& turn, const JobRow& job, Attempt number, size_t workers) {
  AttemptRow row{.job = job.id,
                 .number = number,
                 .started = turn.wall,
                 .workers = static_cast<uint32_t>(workers)};
  std::vector<protocol::RestoreCandidate> restore = RestoreCandidates(turn, job);
  if (restore.empty()) return row;
  row.resumed = restore.front().id;
  row.resumed_uri = restore.front().uri;
  const CheckpointRow* own = turn.tables.checkpoints().Find(row.resumed);
  if (own != nullptr) row.resumed_position = own->position;
  return row;
}

void RecordFailure(Turn& turn, const AttemptRow& attempt, const Failure& failure) {
  int64_t step = turn.soft.jobs[attempt.job].best_step;
  turn.EditRow(attempt, [&](AttemptRow& row) {
    row.cause = failure.cause;
    row.reason = failure.reason;
    row.exit = failure.exit;
    row.user_error |= failure.user_error;
    row.kind = failure.kind;
    row.last_step = std::max(row.last_step, step);
  });
}

// Which of the job's ranks and GPUs are on its node, and which of the job's nodes that is.
void DescribeNodes(const Turn& turn, const RankRow& rank, protocol::StartRank* order) {
  std::vector<NodeId> nodes;  // by lowest rank
  std::vector<const RankRow*> here;
  for (const RankRow* each : turn.tables.ranks().Of(rank.key.job, rank.key.attempt)) {
    if (std::find(nodes.begin(), nodes.end(), each->node) == nodes.end()) {
      nodes.push_back(each->node);
    }
    if (each->node == rank.node) here.push_back(each);
  }
  auto own = std::find(nodes.begin(), nodes.end(), rank.node);
  order->nodes = static_cast<uint32_t>(nodes.size());
  order->node_rank = static_cast<uint32_t>(own - nodes.begin());
  order->local_world_size = static_cast<uint32_t>(here.size());
  std::sort(here.begin(), here.end(),
            [](const RankRow* a, const RankRow* b) { return a->local_rank < b->local_rank; });
  for (const RankRow* each : here) {
    order->node_gpus.insert(order->node_gpus.end(), each->gpu_uuids.begin(), each->gpu_uuids.end());
  }
}

// A gang's slots come free a moment apart: one that may have any number of them, and waits, would
// start with the first. And where none are kept for a gang that waits, smaller jobs would.
bool WaitsForAll(const Turn& turn) {
  constexpr size_t kFew = 256;  // more are too many to look at for each rank that ends
  const PolicyName policy = turn.settings.scheduling.policy;
  if (policy == PolicyName::kLas || policy == PolicyName::kElastic) return true;
  const std::set<JobId>& waiting = turn.tables.waiting();
  return waiting.size() > kFew || std::any_of(waiting.begin(), waiting.end(), [&](JobId job) {
           return IsElastic(turn.tables.jobs().Get(job).request);
         });
}

void SlotsCameFree(Turn& turn, const protocol::RankKey& key) {
  const AttemptRow* attempt = turn.tables.attempts().Active(key.job);
  const bool of_it = attempt != nullptr && attempt->number == key.attempt;
  const auto& ranks = turn.tables.ranks().Of(key.job, key.attempt);
  const bool others = std::any_of(ranks.begin(), ranks.end(),
                                  [](const RankRow* each) { return !each->exit.has_value(); });
  if (!of_it || !others || !WaitsForAll(turn)) {
    turn.soft.placement_due = true;
    return;
  }
  const Time latest = turn.now + turn.deadlines().lease;
  turn.soft.replan_at = std::min(turn.soft.replan_at.value_or(latest), latest);
}

}  // namespace

void StartAttempt(Turn& turn, const Placement& placement) {
  const JobRow& job = turn.tables.jobs().Get(placement.job);
  Attempt number = job.attempt.Next();
  std::string where = PlacementText(turn, placement);
  uint32_t cpus = job.request.cpus;
  turn.EditJob(job.id, [&](JobRow& row) {
    row.attempt = number;
    row.reason = "starting: " + where;
  });
  turn.Persist(NewAttempt(turn, job, number, placement.ranks.size()));
  JobSoft& soft = turn.soft.jobs[job.id];
  if (Resizing& resizing = soft.resizing; resizing.to > 0) {
    const bool vain = placement.ranks.size() < resizing.to || resizing.lost_steps;
    resizing.vain = vain ? resizing.vain + 1 : 0;
  }
  soft.ForgetAttempt();
  if (IsElastic(job.request)) turn.soft.elastic.insert(job.id);
  soft.attempt_started = soft.ready_from = soft.progress_at = turn.now;
  for (Rank rank = 0; rank < placement.ranks.size(); ++rank) {
    const RankSlot& slot = placement.ranks[rank];
    RankRow row{.key = {job.id, number, rank},
                .node = slot.node,
                .incarnation = turn.NewIncarnation(),
                .local_rank = slot.local_rank,
                .cpus = cpus,
                .gpu_uuids = slot.gpu_uuids};
    turn.Persist(row);
    soft.nodes.insert(slot.node);
    turn.TouchNode(slot.node);
  }
  for (const RankRow* rank : turn.tables.ranks().Of(job.id, number)) SendStartRank(turn, *rank);
  turn.Note("JobStarting", "attempt " + std::to_string(number.value) + ": " + where,
            {.job = job.id, .attempt = number});
  turn.Explain(job.id, "starting: " + where);
  turn.TouchJob(job.id);
  turn.WakeJob(job.id, turn.now + turn.deadlines().Repeat());
}

void SendStartRank(Turn& turn, const RankRow& rank) {
  const JobRow& job = turn.tables.jobs().Get(rank.key.job);
  turn.soft.jobs[job.id].ranks[rank.key.rank].next_start = turn.now + turn.deadlines().Repeat();
  // Its slots may still be held by processes that nobody wants (the disk of another machine, say).
  if (auto node = turn.soft.nodes.find(rank.node);
      node != turn.soft.nodes.end() && !node->second.leftovers.empty()) {
    return;
  }
  uint32_t workers = turn.tables.attempts().Find(rank.key.job, rank.key.attempt)->workers;
  protocol::StartRank order{
      rank.key,       rank.incarnation, job.request.name,
      workers,        rank.local_rank,  job.spec_yaml,
      rank.gpu_uuids, rank.cpus,        turn.cluster().id.value + "/" + base::ToString(job.id)};
  DescribeNodes(turn, rank, &order);
  turn.Order(rank.node, std::move(order));
}

Duration JobGrace(const Turn& turn, const JobRow& job) {
  return job.request.grace.count() > 0 ? job.request.grace : turn.deadlines().StopGrace();
}

void StopRanks(Turn& turn, JobId job, Duration grace, const std::string& reason) {
  const AttemptRow* attempt = turn.tables.attempts().Active(job);
  if (attempt == nullptr) return;
  JobSoft& soft = turn.soft.jobs[job];
  soft.stop_at.reset();
  soft.stop_again_at = turn.now + grace + turn.deadlines().lease;
  turn.WakeJob(job, *soft.stop_again_at);
  for (const protocol::RankKey& key : turn.tables.ranks().Keys(job, attempt->number)) {
    const RankRow& rank = *turn.tables.ranks().Find(key);
    if (rank.exit) continue;
    turn.EditRow(rank, [](RankRow& row) { row.stop_requested = true; });
    turn.Order(rank.node, protocol::StopRank{key, grace, reason});
  }
}

void FailAttempt(Turn& turn, JobId job, const Failure& failure) {
  const AttemptRow* attempt = turn.tables.attempts().Active(job);
  if (attempt == nullptr) return;
  bool first = attempt->cause == Cause::kNone;
  if (!first) {
    bool on_purpose = IsOnPurpose(attempt->cause);
    // A trainer had said that it would leave, and now it has; a large one takes its time to end.
    bool awaited = !attempt->exit && failure.exit &&
                   (turn.soft.jobs[job].stop_at || failure.cause == Cause::kOutOfMemory);
    if (on_purpose) return StopRanks(turn, job, turn.deadlines().Heartbeat() * 2, failure.reason);
    if (IsConsequence(turn, job, attempt->exit) && !IsConsequence(turn, job, failure.exit)) {
      RecordFailure(turn, *attempt, failure);
    }
    if (!awaited) return;
    turn.EditRow(*attempt, [&](AttemptRow& row) {
      row.exit = failure.exit;
      // Its last words told what, its exit code tells of which kind.
      if (failure.cause == Cause::kOutOfMemory) {
        row.cause = failure.cause;
        row.kind = failure.kind;
      }
    });
    return StopRanks(turn, job, turn.deadlines().Heartbeat() * 2, attempt->reason);
  }
  RecordFailure(turn, *attempt, failure);
  turn.Explain(job, "stopping: " + failure.reason);
  if (!failure.exit && !failure.leaving) {
    turn.Note("AttemptStopping", failure.reason, {.job = job, .attempt = attempt->number},
              "warning");
  }
  // State is in checkpoints: survivors need time to let go, not to save.
  if (failure.leaving) {
    turn.soft.jobs[job].stop_at = turn.now + turn.deadlines().Repeat();
    turn.WakeJob(job, *turn.soft.jobs[job].stop_at);
  } else {
    StopRanks(turn, job, turn.deadlines().Heartbeat() * 2, failure.reason);
  }
  EndAttemptIfOver(turn, job);
}

void StopAttempt(Turn& turn, JobId job, Cause cause, const std::string& reason, bool save) {
  const AttemptRow* attempt = turn.tables.attempts().Active(job);
  if (attempt == nullptr) return;
  if (attempt->cause == Cause::kNone) {
    turn.EditRow(*attempt, [&](AttemptRow& row) {
      row.cause = cause;
      row.reason = reason;
      row.last_step = turn.soft.jobs[job].best_step;
    });
  } else if (save) {
    return;  // it is being stopped already
  }
  const JobRow& row = turn.tables.jobs().Get(job);
  bool has_state = row.state == JobState::kRunning;
  Duration grace = JobGrace(turn, row);
  turn.Explain(job, (save && has_state ? "saving, then stopping: " : "stopping: ") + reason);
  if (!save || !has_state) return StopRanks(turn, job, grace, reason);
  turn.soft.jobs[job].saves_last = true;
  turn.soft.jobs[job].stop_at = turn.now + grace;
  turn.WakeJob(job, turn.now + grace);
  for (const RankRow* rank : turn.tables.ranks().Of(job, attempt->number)) {
    if (!rank->exit) turn.OrderRank(*rank, protocol::StopTraining{true, reason});
  }
}

void EndRank(Turn& turn, const protocol::RankKey& key, const protocol::ExitRecord& record) {
  const RankRow* rank = turn.tables.ranks().Find(key);
  if (rank == nullptr || rank->exit) return;
  turn.EditRow(*rank, [&](RankRow& row) {
    row.state = protocol::RankState::kExited;
    row.exit = record;
  });
  turn.TouchNode(rank->node);
  turn.TouchJob(key.job);
  SlotsCameFree(turn, key);
  NoteIfDrained(turn, rank->node);
  const AttemptRow* attempt = turn.tables.attempts().Active(key.job);
  if (attempt == nullptr || attempt->number != key.attempt) return;

  const bool own_program = turn.tables.jobs().Get(key.job).request.own_program;
  std::string who = "rank " + std::to_string(key.rank) + " on " + turn.NodeName(rank->node);
  bool clean = record.signal == 0 && (record.code == 0 || record.code == protocol::kExitStopped);
  bool leaving = IsOnPurpose(attempt->cause);
  const std::string last = LastWords(record, own_program);
  bool expected = rank->finished || rank->stop_requested || (leaving && clean);
  if (!expected || (rank->finished && !clean)) {
    turn.Note("RankExited",
              who + " " + ExitText(record, own_program) +
                  (last.empty() ? "" : "; its last log line: " + last),
              {key.job, rank->node, key.attempt, {}}, "warning");
  }
  // A rank told to stop may have died of its own before: the record knows, or the code says it.
  bool of_its_own = !record.stopped_by_us || record.code == protocol::kExitOutOfMemory;
  bool died_before = rank->stop_requested && !rank->finished && of_its_own && !clean;
  if (!expected || (died_before && attempt->cause != Cause::kNone && !leaving)) {
    ExitVerdict verdict = JudgeExit(record, own_program);
    FailAttempt(turn, key.job,
                {.cause = verdict.cause,
                 .reason = who + " " + verdict.text +
                           (own_program && !last.empty() ? "; its last log line: " + last : ""),
                 .exit = Exit{key.rank, rank->node, record},
                 .kind = verdict.kind});
  }
  EndAttemptIfOver(turn, key.job);
}

void EndAttemptIfOver(Turn& turn, JobId job) {
  const AttemptRow* attempt = turn.tables.attempts().Active(job);
  if (attempt == nullptr) return;
  for (const RankRow* rank : turn.tables.ranks().Of(job, attempt->number)) {
    if (!rank->exit) return;
  }
  EndAttempt(turn, job);
}

}  // namespace coxswain::coordinator::core
