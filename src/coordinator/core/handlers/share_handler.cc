#include "coordinator/core/handlers/share_handler.h"

#include <algorithm>

#include "coordinator/core/handlers/attempt_handler.h"
#include "coordinator/core/in_order.h"
#include "coordinator/core/run_times.h"
#include "coordinator/core/scheduling/usage.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

constexpr int64_t kMsPerUs = 1000;
constexpr int64_t kForgotten = 1000;  // charge units times ms: less is not kept

PlannedJob Planned(const JobRow& job, const QueueTree& tree, uint32_t workers) {
  return {.id = job.id,
          .queue = tree.Find(job.request.queue),
          .user = job.submitted_by,
          .priority = job.request.priority,
          .workers = workers,
          .least = MinWorkers(job.request),
          .most = MaxWorkers(job.request),
          .asked = job.request.workers,
          .rank = DemandOf(job.request, 1),
          .demand = DemandOf(job.request, workers),
          .slots = SlotsHeld(job.request, workers),
          .slot_time = job.slot_time};
}

Duration RanSoFar(const Turn& turn, JobId job) {
  auto soft = turn.soft.jobs.find(job);
  if (soft == turn.soft.jobs.end()) return Duration{0};
  return std::max(Duration{0}, turn.now - soft->second.attempt_started);
}

int64_t ChargeOf(const Turn& turn, const JobRow& job, uint32_t workers, Duration ran) {
  int64_t ms = ran.count() / kMsPerUs;
  return ChargePerRank(job.request, turn.settings.scheduling) * workers * ms;
}

// Has it save and let go; it waits for slots again.
void LetGoFor(Turn& turn, JobId job, Cause cause, const char* kind, const std::string& prefix,
              const std::string& why) {
  const AttemptRow* attempt = turn.tables.attempts().Active(job);
  if (attempt == nullptr || attempt->cause != Cause::kNone) return;
  // Of lost nodes nobody can be asked.
  const bool lost = turn.soft.held.contains(job);
  turn.Note(kind,
            (lost ? "has to let go, and cannot be asked to save, as its nodes are lost: "
                  : "asked to save and let go: ") +
                why,
            {.job = job, .attempt = attempt->number},
            cause == Cause::kPreempted ? "warning" : "info");
  StopAttempt(turn, job, cause, prefix + why, !lost);
}

// `soft`: nullptr where there is none.
WaitingJob AsWaiting(const Turn& turn, const JobRow& row, const JobSoft* soft,
                     const QueueTree& tree) {
  Duration waited{0};
  uint32_t decided = 0;
  if (soft != nullptr) {
    waited = turn.now - soft->waiting_since;
    // What was decided for it holds while it changes hands; later its slots may be gone.
    if (waited < turn.deadlines().lease) decided = soft->resizing.to;
  }
  WaitingJob job{Planned(row, tree, decided > 0 ? decided : MinWorkers(row.request))};
  job.sized = decided > 0;
  job.waited = waited;
  job.plain = row.request.node_selector.empty() && row.request.gpu_kinds.empty();
  job.told = soft != nullptr && soft->outlook.ahead > 0;
  return job;
}

// In a pause, its failed attempt is followed by another one within a lease: its slots are kept.
bool KeepsPlace(const Turn& turn, const JobRow& row, const JobSoft& soft) {
  // Whoever was given its slots for so short a while would have to give them back at once.
  return *soft.not_before - turn.now <= turn.deadlines().lease &&
         row.state == JobState::kRecovering;
}

}  // namespace

std::optional<Time> ExpectedEnd(const Turn& turn, const JobRow& job) {
  if (turn.tables.attempts().Active(job.id) == nullptr) return std::nullopt;
  const std::optional<Remaining> left = RemainingOf(turn.soft, job);
  if (!left) return std::nullopt;
  const JobSoft& soft = turn.soft.jobs.at(job.id);
  return (left->reported ? soft.progress_heard : soft.attempt_started) + left->time;
}

WaitingJob AsWaiting(const Turn& turn, const JobRow& row, const QueueTree& tree) {
  auto soft = turn.soft.jobs.find(row.id);
  return AsWaiting(turn, row, soft == turn.soft.jobs.end() ? nullptr : &soft->second, tree);
}

std::optional<Duration> ExpectedRun(const Turn& turn, const JobRow& row) {
  Duration whole = WholeRun(turn.soft, row);
  if (whole.count() <= 0) return std::nullopt;
  return std::max(Duration{0}, whole - row.ran);
}

// As it would wait if it had just let go.
WaitingJob AsLost(const Turn& turn, const JobRow& row, const QueueTree& tree) {
  WaitingJob job{Planned(row, tree, MinWorkers(row.request))};
  job.slot_time += job.slots * RanSoFar(turn, row.id);
  job.lost = true;
  job.holds = DemandOf(row.request, turn.tables.attempts().Active(row.id)->workers);
  return job;
}

// The attempt before this one was stopped for another job.
bool MadeRoom(const Turn& turn, const AttemptRow& attempt) {
  if (attempt.number.value < 2) return false;
  const AttemptRow* before =
      turn.tables.attempts().Find(attempt.job, Attempt(attempt.number.value - 1));
  return before != nullptr && before->cause == Cause::kPreempted;
}

// Its grace to save, and then a lease to end.
Duration StopTakes(const Turn& turn, const JobRow& job) {
  const JobSoft& soft = turn.soft.jobs.at(job.id);
  const bool asked = turn.tables.attempts().Active(job.id)->cause != Cause::kNone;
  Duration grace = asked ? Duration{0} : JobGrace(turn, job);
  if (asked && soft.stop_at) grace = std::max(Duration{0}, *soft.stop_at - turn.now);
  return grace + turn.deadlines().lease;
}

// It has not been asked to stop.
bool IsLost(const Turn& turn, JobId id) {
  const AttemptRow* attempt = turn.tables.attempts().Active(id);
  return attempt != nullptr && attempt->cause == Cause::kNone && turn.soft.held.contains(id);
}

std::vector<WaitingJob> WaitingJobs(const Turn& turn, const QueueTree& tree) {
  std::vector<WaitingJob> jobs;
  jobs.reserve(turn.tables.waiting().size() + turn.soft.held.size());
  InOrder rows(turn.tables.jobs().live());
  InOrder softs(turn.soft.jobs);
  for (JobId id : turn.tables.waiting()) {
    const JobRow& row = *rows.Find(id);
    const JobSoft* soft = softs.Find(id);
    const bool pause = soft != nullptr && soft->not_before;
    const bool keeps = pause && KeepsPlace(turn, row, *soft);
    if (pause && !keeps) continue;
    jobs.push_back(AsWaiting(turn, row, soft, tree));
    jobs.back().paused = keeps;
  }
  for (const auto& [id, told] : turn.soft.held) {
    if (!IsLost(turn, id)) continue;
    jobs.push_back(AsLost(turn, turn.tables.jobs().Get(id), tree));
  }
  return jobs;
}

std::vector<RunningJob> RunningJobs(const Turn& turn, const QueueTree& tree) {
  std::vector<RunningJob> jobs;
  for (JobId id : turn.tables.active()) {
    const JobRow& row = turn.tables.jobs().Get(id);
    const AttemptRow& attempt = *turn.tables.attempts().Active(id);
    RunningJob job{Planned(row, tree, attempt.workers), turn.soft.jobs.at(id).attempt_started,
                   ExpectedEnd(turn, row), attempt.cause != Cause::kNone};
    job.back = IsFailure(attempt.cause);
    job.lost = IsLost(turn, id);
    job.made_room = MadeRoom(turn, attempt);
    job.stop_takes = StopTakes(turn, row);
    job.vain = turn.soft.jobs.at(id).resizing.vain;
    job.lost_steps = turn.soft.jobs.at(id).resizing.lost_steps;
    job.slot_time += job.slots * RanSoFar(turn, id);
    jobs.push_back(job);
  }
  return jobs;
}

Usage UsageNow(const Turn& turn, const QueueTree& tree) {
  Usage usage{std::vector<int64_t>(tree.size()),
              std::vector<std::map<std::string_view, int64_t>>(tree.size())};
  if (turn.settings.scheduling.policy != PolicyName::kFair) return usage;
  auto add = [&](QueueIndex queue, std::string_view user, int64_t amount) {
    usage.users[queue][user] += amount;
    for (QueueIndex each : tree.path(queue)) usage.queues[each] += amount;
  };
  for (const auto& [key, row] : turn.tables.usage()) {
    add(tree.Find(row.queue), row.user,
        Decayed(row.amount, turn.wall - row.as_of, turn.settings.scheduling.half_life));
  }
  for (JobId id : turn.tables.active()) {
    const JobRow& row = turn.tables.jobs().Get(id);
    uint32_t workers = turn.tables.attempts().Active(id)->workers;
    add(tree.Find(row.request.queue), row.submitted_by,
        ChargeOf(turn, row, workers, RanSoFar(turn, id)));
  }
  return usage;
}

void Charge(Turn& turn, const JobRow& job, const AttemptRow& attempt, Duration ran) {
  const std::string& queue = QueueOf(turn, job.request);
  UsageRow row{.queue = queue, .user = job.submitted_by, .amount = 0, .as_of = turn.wall};
  auto found = turn.tables.usage().find({queue, job.submitted_by});
  if (found != turn.tables.usage().end()) {
    Duration age = turn.wall - found->second.as_of;
    row.amount = Decayed(found->second.amount, age, turn.settings.scheduling.half_life);
    row.as_of = std::max(turn.wall, found->second.as_of);
  }
  row.amount += ChargeOf(turn, job, attempt.workers, std::max(Duration{0}, ran));
  if (row.amount >= kForgotten) turn.Persist(row);
}

void ForgetUsage(Turn& turn) {
  std::vector<DeleteUsage> gone;
  for (const auto& [key, row] : turn.tables.usage()) {
    Duration age = turn.wall - row.as_of;
    if (Decayed(row.amount, age, turn.settings.scheduling.half_life) >= kForgotten) continue;
    gone.push_back({row.queue, row.user});
  }
  for (DeleteUsage& each : gone) turn.Persist(std::move(each));
}

void Preempt(Turn& turn, JobId job, const std::string& why) {
  LetGoFor(turn, job, Cause::kPreempted, "JobPreempted", "preempted: ", why);
}

void ResizeJob(Turn& turn, const Resize& resize) {
  std::string what = "from " + Plural(resize.from, "rank") + " to " + std::to_string(resize.to);
  turn.soft.jobs[resize.job].resizing.to = resize.to;
  LetGoFor(turn, resize.job, Cause::kResized, "JobResized", "resized: ", what + ": " + resize.why);
}

const std::string& QueueOf(const Turn& turn, const JobRequest& request) {
  return request.queue.empty() ? turn.settings.scheduling.default_queue : request.queue;
}

std::string WhyNeverInQueue(const Turn& turn, const JobRequest& request) {
  const std::string wrong = WrongQueue(turn.settings.scheduling, request.queue);
  if (!wrong.empty()) return "spec.queue: " + wrong;
  QueueTree tree(turn.settings.scheduling);
  QueueIndex queue = tree.Find(QueueOf(turn, request));
  Amount demand = DemandOf(request, MinWorkers(request));
  if (std::optional<QueueIndex> over = tree.OverLimit(queue, demand)) {
    const QueueSettings& limit = tree.settings(*over);
    return "spec.workers: needs " + HeldText(limit.limit, demand) + ", but queue " + limit.name +
           " may never hold more than " + BoundText(limit.limit);
  }
  if (std::optional<QueueIndex> over = tree.OverUserLimit(queue, "", demand)) {
    const QueueSettings& limit = tree.settings(*over);
    if (limit.user_jobs && *limit.user_jobs == 0) {
      return "spec.queue: a user of queue " + limit.name + " may run no job";
    }
    return "spec.workers: needs " + HeldText(limit.user_limit, demand) + ", but a user of queue " +
           limit.name + " may never hold more than " + BoundText(limit.user_limit);
  }
  return "";
}

Duration PlanPace(const Turn& turn) {
  // A plan takes a look at all of these, at about a microsecond each: it gets a tenth of the time,
  // so that it does not fall behind on a machine that is busy with other things.
  constexpr size_t kFew = 256;
  size_t many =
      turn.tables.waiting().size() + turn.tables.active().size() + turn.soft.capacity.size() / 8;
  return Duration{many <= kFew ? 0 : static_cast<int64_t>(10 * many)};
}

}  // namespace coxswain::coordinator::core
