// The best checkpoint by an evaluation. All ranks evaluate alike and copy the same step; what is
// already saved only rank 0 knows, and tells the others as part of the evaluation. A copy waits on
// rank 0 while another save is in flight, on the others until it is opened.
#include <cmath>
#include <string>
#include <utility>

#include "trainer/core/trainer_core.h"

namespace coxswain::trainer::core {

Evaluate TrainerCore::NextEvaluation() const {
  Evaluate command;
  if (!settings_.keeps_best || rank_ != 0) return command;
  if (best_) command = {true, best_->metric, 0};
  // Ascending by step: what was the best later is better.
  for (const auto& [step, save] : saves_.all()) {
    if (!save.best) continue;
    command = {true, save.metric, save.stage <= SaveStage::kHeld ? step : 0};
  }
  return command;
}

void TrainerCore::TakeBest(const Evaluated& event) {
  if (!settings_.keeps_best || !settings_.saves || !std::isfinite(event.metric)) return;
  const bool better = !event.has_best || (settings_.higher_is_best ? event.metric > event.best
                                                                   : event.metric < event.best);
  if (!better) return;
  if (Save* worse = saves_.FindStep(event.held_step); worse != nullptr && worse->step != step_) {
    Do(DropSave{worse->step, worse->uri});
    saves_.Erase(event.held_step);
  }
  Save* save = saves_.FindStep(step_);
  if (save == nullptr && LastStepDone()) {
    best_here_ = {step_, event.metric};
    committed_step_ = -1;  // what may be there of this step is not known as the best
    return;
  }
  if (save == nullptr) save = &StartSave(step_, position_, false);
  save->best = true;
  save->metric = event.metric;
}

ExportModel TrainerCore::ExportOfBest() {
  if (!best_) {
    std::string why = "no evaluation of this job was a number: the last step's model is exported";
    Do(Note{std::move(why)});
    return {};
  }
  if (best_->step == step_) return {};  // the present one
  return {best_->checkpoint};
}

bool TrainerCore::MayOpen(const Save& save) const {
  if (evaluating_) return false;  // its end may drop this one
  if (settings_.keeps_best && evaluation_due_ && !stop_agreed_ && save.step == step_) return false;
  for (const auto& [step, other] : saves_.all()) {
    if (step != save.step && other.stage > SaveStage::kHeld) return false;
  }
  return true;
}

void TrainerCore::OpenHeld() {
  if (rank_ != 0 || mode_ != Mode::kTraining) return;
  for (const auto& [step, held] : saves_.all()) {
    if (held.stage != SaveStage::kHeld || !MayOpen(held)) continue;
    Save* save = saves_.FindStep(step);
    save->stage = SaveStage::kOpening;
    SendOf(*save);
    repeat_at_ = now_ + settings_.deadlines.Repeat();
    return;
  }
}

}  // namespace coxswain::trainer::core
