// How many steps a job takes, and which samples each uses. Position counts samples over all epochs
// and alone decides what comes next; the step number only limits and names.
#pragma once

#include <algorithm>
#include <cstdint>

namespace coxswain::trainer::core {

struct TrainingPlan {
  int64_t samples = 1;                // of the training set, at least 1
  int64_t batch = 1;                  // global batch size, at least 1
  int64_t epochs = 1;                 // at least 1
  int64_t max_steps = 0;              // 0: no limit
  int64_t evaluate_every_epochs = 0;  // 0: not by epochs (or no evaluation set)
  int64_t evaluate_every_steps = 0;   // 0: not by steps

  int64_t StepsPerEpoch() const { return (samples + batch - 1) / batch; }
  // Samples of the step that starts at `position`: the last of an epoch may be smaller.
  int64_t NextBatch(int64_t position) const {
    return std::min(batch, samples - position % samples);
  }
  bool Done(int64_t step, int64_t position) const {
    return position >= samples * epochs || (max_steps > 0 && step >= max_steps);
  }
  // Steps still to do. A position within an epoch need not be a multiple of the batch (the batch
  // size may have been changed before a resume).
  int64_t RemainingSteps(int64_t step, int64_t position) const {
    if (Done(step, position)) return 0;
    int64_t in_epoch = samples - position % samples;
    int64_t later_epochs = epochs - position / samples - 1;
    int64_t by_epochs = (in_epoch + batch - 1) / batch + later_epochs * StepsPerEpoch();
    return max_steps > 0 ? std::min(by_epochs, max_steps - step) : by_epochs;
  }
  // Steps that lead from the start to `position`, one that it is within counted in.
  int64_t StepsTo(int64_t position) const {
    return position / samples * StepsPerEpoch() + (position % samples + batch - 1) / batch;
  }
  bool EndsEpoch(int64_t position) const { return position > 0 && position % samples == 0; }
  // 1-based epoch of the sample at `position`, for people; the last one once all is done.
  int64_t EpochOf(int64_t position) const { return std::min(position / samples + 1, epochs); }
  // Whether an evaluation belongs between the step that ended at `position` and the next.
  bool EvaluationDue(int64_t step, int64_t position) const {
    if ((evaluate_every_epochs <= 0 && evaluate_every_steps <= 0) || position == 0) return false;
    if (Done(step, position)) return true;
    if (evaluate_every_steps > 0 && step % evaluate_every_steps == 0) return true;
    return evaluate_every_epochs > 0 && EndsEpoch(position) &&
           (position / samples) % evaluate_every_epochs == 0;
  }
};

}  // namespace coxswain::trainer::core
