#include "coordinator/core/handlers/submit_handler.h"

#include "coordinator/core/handlers/job_end_handler.h"
#include "coordinator/core/handlers/placement_handler.h"
#include "coordinator/core/handlers/resume_handler.h"
#include "coordinator/core/handlers/shared_store_handler.h"
#include "coordinator/core/handlers/store_look_handler.h"
#include "coordinator/core/handlers/task_handler.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

struct Known {
  JobId job;
  const std::string* digest;
};

void Refuse(Turn& turn, const std::vector<CallId>& calls, ReplyCode code, const std::string& text) {
  for (CallId call : calls)
    turn.Reply({.call = call, .code = code, .text = text, .job = {}, .node = {}});
}

std::optional<Known> FindKey(const Turn& turn, const std::string& key) {
  if (key.empty()) return std::nullopt;
  if (const JobRow* row = turn.tables.jobs().FindKey(key))
    return Known{row->id, &row->request_digest};
  auto ended = turn.soft.ended_keys.find(key);
  if (ended == turn.soft.ended_keys.end()) return std::nullopt;
  return Known{ended->second.job, &ended->second.digest};
}

// True: the key had been used, and the call is answered or waits for the first one's answer.
bool AnswerRepeat(Turn& turn, const JobSubmitted& event) {
  const std::string reused =
      "the idempotency key '" + event.idempotency_key + "' was used for a different submission";
  if (std::optional<Known> known = FindKey(turn, event.idempotency_key)) {
    bool same = *known->digest == event.request_digest;
    turn.Reply({.call = event.call,
                .code = same ? ReplyCode::kOk : ReplyCode::kAlreadyExists,
                .text = same ? "" : reused + " (" + base::ToString(known->job) + ")",
                .job = known->job,
                .node = {},
                .already_existed = same});
    return true;
  }
  auto waiting = turn.soft.submission_keys.find(event.idempotency_key);
  if (event.idempotency_key.empty() || waiting == turn.soft.submission_keys.end()) return false;
  WaitingSubmission& first = turn.soft.submissions.at(waiting->second);
  if (first.event.request_digest == event.request_digest) {
    first.calls.push_back(event.call);
  } else {
    Refuse(turn, {event.call}, ReplyCode::kAlreadyExists, reused);
  }
  return true;
}

// One line; empty: it may be accepted.
std::string WhyNot(Turn& turn, const JobSubmitted& event, ReplyCode* code) {
  if (turn.tables.jobs().live().size() >= turn.settings.max_live_jobs) {
    *code = ReplyCode::kResourceExhausted;
    return "there are " + std::to_string(turn.settings.max_live_jobs) +
           " jobs that have not ended, which is the limit; try again when some have";
  }
  *code = ReplyCode::kFailedPrecondition;
  if (event.request.store.empty() && turn.settings.default_store.empty()) {
    return "spec.checkpoint.store is not given and the coordinator has no default_store";
  }
  return WhyNeverPlaced(turn, event.request);
}

struct Finding {
  bool checked = false;
  std::string note;                  // why not
  std::vector<NodeId> store_proven;  // see JobSoft
  std::string warning;               // checked, but something will not be as expected
};

void Accept(Turn& turn, JobSubmitted event, const std::vector<CallId>& calls,
            const Finding& finding) {
  if (std::string why = DropDeleted(turn, &event); !why.empty()) {
    return Refuse(turn, calls, ReplyCode::kFailedPrecondition, why);
  }
  JobRow row;
  row.id = turn.NextJob();
  row.request = event.request;
  if (row.request.queue.empty()) row.request.queue = turn.settings.scheduling.default_queue;
  row.spec_yaml = event.spec_yaml;
  row.idempotency_key = event.idempotency_key;
  row.request_digest = event.request_digest;
  row.submitted_by = event.submitted_by;
  row.check = finding.checked ? CheckState::kPassed : CheckState::kNotChecked;
  row.submitted = turn.wall;
  row.resume_uri = event.resume_uri;
  row.allow_uncommitted = event.allow_uncommitted;
  turn.Persist(row);
  // What was so then; it is checked when its turn comes.
  if (!finding.note.empty()) {
    turn.soft.jobs[row.id].check_note = "at its submission: " + finding.note;
  }
  turn.soft.jobs[row.id].waiting_since = turn.now;
  StoreProven(turn, row.id, finding.store_proven);
  std::string who = event.submitted_by.empty() ? "" : " by " + event.submitted_by;
  turn.Note("JobSubmitted",
            "'" + event.request.name + "'" + who +
                (finding.checked ? "" : "; not yet checked: " + finding.note),
            {.job = row.id});
  if (!finding.warning.empty()) {
    turn.Note("JobWarning", finding.warning, {.job = row.id}, "warning");
  }
  for (size_t i = 0; i < calls.size(); ++i) {
    turn.Reply({.call = calls[i],
                .text = finding.warning,
                .job = row.id,
                .node = {},
                .already_existed = i > 0});
  }
  turn.TouchJob(row.id);
  QueueGrew(turn, row.id);
}

void Answer(Turn& turn, const JobSubmitted& event, const std::vector<CallId>& calls,
            const Finding& finding) {
  if (!event.dry_run) return Accept(turn, event, calls, finding);
  std::string text = "it would be accepted";
  if (!finding.checked) text += ", not yet checked: " + finding.note;
  const WouldStart start = WhenItWouldStart(turn, event);
  text += "; " + start.text;
  if (!finding.warning.empty()) text += "; warning: " + finding.warning;
  for (CallId call : calls) {
    turn.Reply({.call = call, .text = text, .job = {}, .node = {}, .expected_start = start.at});
  }
}

void Wait(Turn& turn, TaskId task, WaitingSubmission waiting) {
  const std::string& key = waiting.event.idempotency_key;
  if (!key.empty()) turn.soft.submission_keys[key] = task;
  turn.soft.submissions[task] = std::move(waiting);
}

// What is wrong with data or store may be wrong on one machine only: with several, which one it
// was.
std::string WhyChecked(Turn& turn, const TaskSoft& task, const protocol::TaskEnded& end,
                       const std::string& spec_yaml) {
  if (task.proof) return ProofFailed(turn, task, end, spec_yaml);
  bool several = end.user_error && turn.soft.sessions.size() > 1;
  return end.error + (several ? " (on " + turn.NodeName(task.node) + ")" : "");
}

// What has to end well before the answer, after a step that did; nothing: all is checked.
std::optional<TaskId> NextCheck(Turn& turn, const TaskSoft& done, const JobSubmitted& event) {
  if (done.proof) return NextProofStep(turn, done, event.spec_yaml);
  if (!event.request.local_store) return std::nullopt;
  std::set<NodeId> machines = WouldRunOn(turn, event.request);
  if (machines.size() < 2) return std::nullopt;
  return StartProof(turn, {}, event.spec_yaml, {machines.begin(), machines.end()});
}

}  // namespace

void Handle(Turn& turn, const JobSubmitted& event) {
  if (AnswerRepeat(turn, event)) return;
  ReplyCode code = ReplyCode::kOk;
  std::string why = WhyNot(turn, event, &code);
  if (!why.empty()) return Refuse(turn, {event.call}, code, why);
  // A file:// checkpoint to begin with is looked for where it is, if that machine is there.
  std::optional<NodeId> node;
  const NodeId& resume_node = event.request.resume_node;
  if (!resume_node.empty()) node = NodeForTask(turn, resume_node);
  if (!node) node = NodeForTask(turn, std::nullopt);
  if (!node) {
    return Answer(
        turn, event, {event.call},
        {.checked = false, .note = WhyNoNodeForTask(turn), .store_proven = {}, .warning = ""});
  }
  TaskId task =
      StartTask(turn, {.kind = protocol::TaskKind::kCheck, .node = *node},
                CheckArgument(turn, {.request = event.request,
                                     .spec_yaml = event.spec_yaml,
                                     .resume_uri = event.resume_uri,
                                     .allow_uncommitted = event.allow_uncommitted,
                                     .at_submit = true,
                                     .elsewhere = !resume_node.empty() && resume_node != *node}),
                event.spec_yaml);
  Wait(turn, task, {event, {event.call}, ""});
}

void SubmissionChecked(Turn& turn, TaskId id, const TaskSoft& task, const protocol::TaskEnded& end,
                       bool lost) {
  auto found = turn.soft.submissions.find(id);
  if (found == turn.soft.submissions.end()) return;
  WaitingSubmission waiting = std::move(found->second);
  turn.soft.submissions.erase(found);
  turn.soft.submission_keys.erase(waiting.event.idempotency_key);
  const JobSubmitted& event = waiting.event;
  LetGo(turn, event.resume_uri, event.request);  // unless it becomes a job now, or is looked at on
  if (end.ok) {
    if (!task.proof) waiting.warning = end.error;
    std::optional<TaskId> next = NextCheck(turn, task, event);
    if (next) return Wait(turn, *next, std::move(waiting));
    Finding finding{.checked = true, .note = "", .store_proven = {}, .warning = waiting.warning};
    if (task.proof) finding.store_proven = task.proof->machines;
    return Answer(turn, event, waiting.calls, finding);
  }
  std::string why = WhyChecked(turn, task, end, event.spec_yaml);
  if (lost || !end.user_error)
    return Answer(turn, event, waiting.calls,
                  {.checked = false, .note = why, .store_proven = {}, .warning = ""});
  Refuse(turn, waiting.calls, ReplyCode::kFailedPrecondition, why);
}

void CheckJob(Turn& turn, JobId job, const NodeId& node) {
  JobSoft& soft = turn.soft.jobs[job];
  if (soft.check) return;
  std::optional<NodeId> free = NodeForTask(turn, node);
  if (!free)
    return turn.Explain(job,
                        "not yet checked: " + turn.NodeName(node) + " is busy with other checks");
  const JobRow& row = turn.tables.jobs().Get(job);
  soft.check = StartTask(turn, {.kind = protocol::TaskKind::kCheck, .node = node, .job = job},
                         CheckArgument(turn, {.request = row.request,
                                              .spec_yaml = row.spec_yaml,
                                              .resume_uri = row.resume_uri,
                                              .allow_uncommitted = row.allow_uncommitted}),
                         row.spec_yaml);
  turn.Explain(job, "its data and store are being checked on " + turn.NodeName(node));
}

void JobChecked(Turn& turn, const TaskSoft& task, const protocol::TaskEnded& end, bool lost) {
  if (turn.tables.jobs().Find(task.job) == nullptr) return;
  JobSoft& soft = turn.soft.jobs[task.job];
  soft.check = {};
  turn.soft.placement_due = true;
  if (task.proof && task.proof->checkpoint) return CheckpointLookedFor(turn, task, end, lost);
  if (end.ok && task.proof) {
    const std::string& yaml = turn.tables.jobs().Get(task.job).spec_yaml;
    if (std::optional<TaskId> next = NextProofStep(turn, task, yaml)) {
      soft.check = *next;
      return;
    }
    StoreProven(turn, task.job, task.proof->machines);
    turn.Note("StoreShared", "its file:// store is one place for the machines it will run on",
              {.job = task.job});
    return;
  }
  if (end.ok) {
    turn.EditJob(task.job, [](JobRow& row) { row.check = CheckState::kPassed; });
    if (!end.error.empty()) {
      turn.Note("JobWarning", end.error, {.job = task.job, .node = task.node}, "warning");
    }
    turn.Note("JobChecked", "data and store can be read and written",
              {.job = task.job, .node = task.node});
    return;
  }
  std::string why = WhyChecked(turn, task, end, turn.tables.jobs().Get(task.job).spec_yaml);
  if (turn.tables.attempts().Active(task.job) != nullptr) {
    // Ranks of it live: what a late check says of a place or a store does not end them.
    turn.Note("JobWarning", why, {.job = task.job, .node = task.node}, "warning");
    return;
  }
  if (end.user_error && !lost && task.proof && AvoidUnseen(turn, task)) return;
  if (end.user_error && !lost) {
    return EndJob(turn, task.job, {JobState::kFailed, Cause::kUser, why, std::nullopt});
  }
  soft.check_note = "last tried: " + why;
  soft.not_before = turn.now + turn.deadlines().lease;
  soft.back_off_reason = "not yet checked: " + why;
  turn.WakeJob(task.job, *soft.not_before);
  turn.Explain(task.job, soft.back_off_reason);
}

}  // namespace coxswain::coordinator::core
