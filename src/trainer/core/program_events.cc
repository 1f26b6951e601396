// A program of the user's own in the place of the engine: RunStep lets it run on for a moment, and
// is answered with what it has said.
#include "trainer/core/trainer_core.h"

namespace coxswain::trainer::core {

void TrainerCore::On(const ProgramSaid& event) {
  running_.reset();
  if (mode_ != Mode::kTraining) return;
  step_ = position_ = std::max(step_, event.step);
  loss_ = event.loss;
  rate_ = event.samples_per_second;
  if (event.evaluation) evaluation_ = event.evaluation;
  if (event.saved && rank_ == 0 && settings_.saves) saved_ = event.saved;
  said_ = event;
  if (!event.ended) return;
  stop_agreed_ = stop_.has_value();
  ended_well_ = !stop_;
}

void TrainerCore::On(const ProgramFailed& event) {
  running_.reset();
  if (mode_ == Mode::kExited) return;
  Leave(event.code, event.reason, event.signal);
}

void TrainerCore::FillFromProgram(protocol::TrainerProgress* progress) const {
  progress->epoch = progress->epochs = progress->total_steps = 0;
  progress->remaining_ms = -1;
  if (!said_) return;
  progress->epoch = said_->epoch;
  progress->epochs = said_->epochs;
  progress->total_steps = said_->total_steps;
  progress->remaining_ms = said_->remaining_ms;
}

}  // namespace coxswain::trainer::core
