#include "coordinator/core/handlers/begin_text.h"

#include <algorithm>

#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

int64_t LastStepSeen(const Turn& turn, const AttemptRow& attempt, const JobSoft& soft) {
  int64_t last = soft.best_step;  // a group that formed anew in place
  for (uint64_t number = attempt.number.value; last == 0 && number-- > 1;) {
    const AttemptRow* before = turn.tables.attempts().Find(attempt.job, Attempt(number));
    if (before != nullptr) last = before->last_step;
  }
  return last;
}

}  // namespace

std::string WhereItBegan(const Turn& turn, const AttemptRow& attempt) {
  const JobSoft& soft = turn.soft.jobs.at(attempt.job);
  const int64_t step = soft.formed ? soft.formed->step : 0;
  std::string from = step > 0 ? "going on at " + StepText(step) : "from the start";
  if (soft.formed && !soft.formed->restored_uri.empty()) {
    const bool own = static_cast<bool>(soft.formed->restored);
    from = "from " + (own ? base::ToString(soft.formed->restored) : soft.formed->restored_uri) +
           ", " + StepText(step);
  }
  // A program counts as it likes; and of a group that rank 0 has told nothing of, nothing is known.
  if (!soft.formed || turn.tables.jobs().Get(attempt.job).request.own_program) return from;
  const int64_t again = LastStepSeen(turn, attempt, soft) - step;
  if (again <= 0) return from;
  return from + "; " + Plural(static_cast<uint64_t>(again), "step") +
         (again == 1 ? " is" : " are") + " done again";
}

}  // namespace coxswain::coordinator::core
