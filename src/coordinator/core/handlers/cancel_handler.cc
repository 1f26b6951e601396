#include "coordinator/core/handlers/cancel_handler.h"

#include "coordinator/core/handlers/attempt_handler.h"
#include "coordinator/core/handlers/job_end_handler.h"
#include "coordinator/core/handlers/node_handler.h"

namespace coxswain::coordinator::core {

void Handle(Turn& turn, const CancelRequested& event) {
  const JobRow* job = turn.tables.jobs().Find(event.job);
  if (job == nullptr) {
    bool ended = event.job && event.job <= turn.cluster().last_job;
    std::string name = base::ToString(event.job);
    turn.Reply({.call = event.call,
                .code = ended ? ReplyCode::kFailedPrecondition : ReplyCode::kNotFound,
                .text = ended ? name + " has already ended" : "there is no job " + name,
                .job = event.job,
                .node = {}});
    return;
  }
  std::string reason = event.reason.empty() ? "cancelled" : event.reason;
  if (!job->cancel_requested) {
    turn.EditJob(event.job, [&](JobRow& row) {
      row.cancel_requested = true;
      row.cancel_reason = reason;
    });
    turn.Note("CancelRequested", reason + (event.save ? " (with a last checkpoint)" : ""),
              {.job = event.job, .attempt = job->attempt});
  }
  turn.TouchJob(event.job);
  turn.Reply({.call = event.call, .text = "", .job = event.job, .node = {}});
  if (turn.tables.attempts().Active(event.job) == nullptr) {
    return EndJob(turn, event.job, {JobState::kCancelled, Cause::kCancelled, reason, std::nullopt});
  }
  StopAttempt(turn, event.job, Cause::kCancelled, reason, event.save);
  // Ranks on lost nodes cannot be told, and nobody waits for them.
  const AttemptRow* attempt = turn.tables.attempts().Active(event.job);
  if (attempt != nullptr) JudgeLostNodes(turn, *attempt);
}

}  // namespace coxswain::coordinator::core
