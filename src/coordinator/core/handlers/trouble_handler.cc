#include "coordinator/core/handlers/trouble_handler.h"

#include <algorithm>
#include <set>

#include "common/base/byte_text.h"
#include "common/base/duration_text.h"
#include "coordinator/core/handlers/attempt_handler.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

constexpr std::string_view kCheckpoints = "checkpoint store ";

std::string WhoText(const Tables& tables, const RankRow& rank) {
  const NodeRow* node = tables.FindNode(rank.node);
  return "rank " + std::to_string(rank.key.rank) + " on " +
         (node == nullptr || node->name.empty() ? rank.node.value : node->name);
}

std::string AtOnceText(const std::string& who, int64_t at_once) {
  return who + " puts at most " + base::CountText(at_once) +
         (at_once == 1 ? " sample" : " samples") +
         " at a time through the model, which is slower and gives the same gradients "
         "(spec.train.micro_batch_size: " +
         std::to_string(at_once) + " does so from the start)";
}

NoteAbout AboutIt(const RankRow& rank, Generation generation) {
  return {rank.key.job, rank.node, rank.key.attempt, generation};
}

// Every store that refuses is told with the time since when.
constexpr char kSince[] = " since ";

bool Refuses(const std::string& waiting_for) {
  return waiting_for.find(kSince) != std::string::npos;
}

// "checkpoint store file:///ckpt full": without " since 12:03:11: cannot write ...".
std::string WithoutDetails(const std::string& waiting_for) {
  return waiting_for.substr(0, waiting_for.find(kSince));
}

// "checkpoint store file:///ckpt can be used again: it was full for 2 min 6 s".
std::string OverText(const std::string& what, Duration lasted) {
  const size_t state = std::min(what.size(), what.rfind(' '));
  return what.substr(0, state) + " can be used again: it was" + what.substr(state) + " for " +
         base::DurationText(lasted);
}

void TakeWaiting(Turn& turn, const RankRow& rank, Generation generation, bool again) {
  JobSoft& soft = turn.soft.jobs[rank.key.job];
  Waiting& waiting = soft.told.waiting;
  const std::string& text = soft.ranks[rank.key.rank].waiting_for;
  const bool any = std::any_of(soft.ranks.begin(), soft.ranks.end(),
                               [](const auto& each) { return Refuses(each.second.waiting_for); });
  if (any) {
    waiting.over.reset();
    if (waiting.since || !Refuses(text)) return;
    waiting.since = turn.now;
    waiting.what = WithoutDetails(text);
    if (again) return;
    const bool saves = text.starts_with(kCheckpoints);
    turn.Note("StoreUnavailable",
              WhoText(turn.tables, rank) + " waits: " + text +
                  (saves ? "; training goes on, and no checkpoint is stored meanwhile" : ""),
              AboutIt(rank, generation), "warning");
    return;
  }
  if (!waiting.since) return;
  // The next upload may find the same.
  if (!waiting.over) waiting.over = turn.now;
  if (turn.now - *waiting.over < turn.deadlines().lease) return;
  turn.Note("StoreAvailable", OverText(waiting.what, *waiting.over - *waiting.since),
            AboutIt(rank, generation));
  waiting = {};
}

void TakeAtOnce(Turn& turn, const RankRow& rank, const protocol::TrainerProgress& report,
                bool again) {
  int64_t& told = turn.soft.jobs[rank.key.job].told.at_once;
  if (report.at_once <= 0 || (told > 0 && told <= report.at_once)) return;
  told = report.at_once;
  if (again) return;
  turn.Note("MicroBatchHalved",
            "memory has run out: from " + StepText(report.step) + " on " +
                AtOnceText(WhoText(turn.tables, rank), report.at_once),
            AboutIt(rank, report.generation), "warning");
}

// After a mistake that somebody mends outside.
std::string GoOnText(const Turn& turn, JobId job) {
  const CheckpointRow* last = nullptr;
  for (const CheckpointRow* row : turn.tables.checkpoints().OfJob(job)) {
    if (CanRestore(*row)) last = row;
  }
  if (last == nullptr) return "";
  return "; then submit the job again with --resume-from " + base::ToString(job) +
         ", which goes on from its last checkpoint, " + base::ToString(last->id) + " of " +
         StepText(last->step);
}

}  // namespace

void Handle(Turn& turn, const RankRow& rank, const protocol::TrainingFailed& report) {
  if (turn.tables.attempts().Active(rank.key.job)->cause != Cause::kNone) return;
  using enum protocol::FailureKind;  // none: of an earlier version
  const auto kind = report.kind != kNone ? report.kind : report.user_error ? kSettings : kStore;
  std::string reason = WhoText(turn.tables, rank) + ": " + report.reason;
  if (kind == kData) reason += GoOnText(turn, rank.key.job);
  turn.Note("TrainingFailed", reason, {rank.key.job, rank.node, rank.key.attempt, {}}, "error");
  FailAttempt(turn, rank.key.job,
              {.cause = report.user_error ? Cause::kUser : Cause::kInfrastructure,
               .reason = reason,
               .user_error = report.user_error,
               .kind = kind,
               .leaving = rank.key.rank});
}

void TakeTroubles(Turn& turn, const RankRow& rank, const protocol::TrainerProgress& report) {
  JobSoft& soft = turn.soft.jobs[rank.key.job];
  RankSoft& of_rank = soft.ranks[rank.key.rank];
  // Of a rank that is heard for the first time since our own start: what it has, it had before.
  const bool resumed = soft.attempt_started != soft.ready_from;
  const bool again = resumed && of_rank.step == 0 && of_rank.phase == protocol::Phase::kStarting;
  of_rank.waiting_for = report.waiting_for;
  of_rank.at_once = report.at_once;
  TakeWaiting(turn, rank, report.generation, again);
  TakeAtOnce(turn, rank, report, again);
}

std::vector<std::string> TroublesOf(const Tables& tables, const JobSoft& job,
                                    const AttemptRow& attempt) {
  std::vector<std::string> out;
  std::set<std::string> told;
  int64_t fewest = 0;
  std::string who;
  for (const RankRow* row : tables.ranks().Of(attempt.job, attempt.number)) {
    auto rank = job.ranks.find(row->key.rank);
    if (rank == job.ranks.end()) continue;
    // Each rank's error of one store is another.
    const std::string& text = rank->second.waiting_for;
    if (!text.empty() && told.insert(WithoutDetails(text)).second) out.push_back(text);
    const int64_t at_once = rank->second.at_once;
    if (at_once <= 0 || (fewest > 0 && fewest <= at_once)) continue;
    fewest = at_once;
    who = WhoText(tables, *row);
  }
  if (fewest > 0) out.push_back("memory has run out: " + AtOnceText(who, fewest));
  return out;
}

}  // namespace coxswain::coordinator::core
