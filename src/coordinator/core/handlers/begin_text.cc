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

void TellBatch(Turn& turn, const GenerationRow& before, const GenerationRow& now) {
  if (before.batch == 0 || now.batch == before.batch) return;
  const size_t ranks = now.members.size();
  std::string why = std::string("the gradient's noise ") +
                    (now.batch > before.batch ? "pays for it" : "does not pay for more");
  if (turn.soft.jobs.at(now.job).forming.keeps_batch) {
    why = "no group could be formed with another batch";
  } else if (ranks != before.members.size()) {
    why = "it has " + Plural(ranks, "rank") + " now, and had " +
          std::to_string(before.members.size());
  } else if (now.attempt != before.attempt) {
    why = "attempt " + std::to_string(now.attempt.value) + " begins with what was measured";
  }
  turn.Note("BatchChanged",
            "from " + std::to_string(before.batch) + " to " + std::to_string(now.batch) +
                " samples a step: " + why,
            {.job = now.job, .attempt = now.attempt});
}

}  // namespace coxswain::coordinator::core
