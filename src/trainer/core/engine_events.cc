// What the engine and storage answer.
#include "trainer/core/trainer_core.h"

namespace coxswain::trainer::core {
void TrainerCore::On(const GroupFormed& event) {
  running_.reset();
  if (mode_ != Mode::kForming || pending_) return;
  mode_ = Mode::kTraining;
  step_ = event.step;
  position_ = event.position;
  plan_ = event.plan;
  at_once_ = event.at_once;
  first_step_ = true;
  last_save_ = now_;
  save_due_ = false;
  snapshot_due_.reset();
  said_.reset();
  saved_.reset();
  ended_well_ = false;
  exported_ = false;
  refusals_ = 0;
  rate_ = 0;
  early_.reset();
  DropSavesIf(
      [](const Save& save, base::Generation current) { return save.generation != current; });
  // Only rank 0 knows what was restored, and what survivors saw committed may differ: so that all
  // of several ranks come to the same end, each counts on the saves of this generation alone.
  committed_step_ = world_size_ == 1 && event.restored ? event.step : -1;
  evaluation_due_ = plan_.EvaluationDue(step_, position_);
  evaluating_ = false;
  ended_early_.clear();
  best_here_.reset();
  formed_ = protocol::GenerationFormed{generation_,    event.refused, event.restored_uri,
                                       event.restored, event.step,    event.position};
  Report(*formed_);
  if (stop_) FinishNow(true);
}

void TrainerCore::On(const CollectiveFailed& event) {
  running_.reset();
  evaluating_ = false;
  if (mode_ != Mode::kForming && mode_ != Mode::kTraining) return;
  mode_ = Mode::kWaiting;
  snapshot_due_.reset();
  // A save begun but not copied can no longer be: the others do not have it either.
  DropSavesIf(
      [](const Save& save, base::Generation) { return save.stage == SaveStage::kSnapshot; });
  if (pending_) return;
  Do(Note{"a collective failed in generation " + std::to_string(generation_.value) +
          " after step " + std::to_string(step_) + ": " + event.reason});
  if (stop_) return FinishNow(true);
  collective_failure_ = event.reason;
  SendUnanswered();
}

void TrainerCore::On(const StepFinished& event) {
  running_.reset();
  if (mode_ != Mode::kTraining) return;
  step_ = event.step;
  position_ = event.position;
  loss_ = event.loss;
  noise_ = event.noise;
  at_once_ = event.at_once;
  if (event.took.count() > 0) {
    double seconds = static_cast<double>(event.took.count()) * 1e-6;
    double rate = static_cast<double>(event.samples) / seconds;
    // Smoothed over about two seconds; the first step of a generation warms up and does not count.
    double weight = std::min(1.0, seconds / 2);
    if (!first_step_) rate_ = rate_ == 0 ? rate : rate_ + (rate - rate_) * weight;
  }
  if (event.save_wanted && rank_ == 0) save_due_ = true;
  if (event.stop) {
    stop_agreed_ = true;
    if (!stop_) {
      stop_ = Stop{false, false, "another rank was told to stop", now_ + settings_.grace / 2};
    }
    stop_->save = event.stop_with_save;
  }
  evaluation_due_ = plan_.EvaluationDue(step_, position_);
  if (event.save && settings_.saves) BeginSave(step_, position_, false);
  if (std::exchange(first_step_, false)) {
    phase_ = protocol::Phase::kOptimizer;
    SendProgress();
  }
}

void TrainerCore::On(const NotFinite& event) {
  running_.reset();
  std::string ranks;
  for (base::Rank rank : event.ranks) {
    ranks += (ranks.empty() ? "" : ", ") + std::to_string(rank);
  }
  if (!ranks.empty()) ranks = (event.ranks.size() == 1 ? " (rank " : " (ranks ") + ranks + ")";
  Fail("the " + event.what + " is not finite at step " + std::to_string(event.step) + ranks + "; " +
           event.where +
           "; lower spec.train.optimizer.learning_rate, set spec.train.clip_norm, or look for bad "
           "samples",
       protocol::kExitUserError, protocol::FailureKind::kDiverged);
}

void TrainerCore::On(const SnapshotTaken& event) {
  running_.reset();
  Save* save = saves_.FindStep(event.step);
  if (save == nullptr || save->stage != SaveStage::kSnapshot) return;
  const bool may_wait = settings_.keeps_best && rank_ == 0 && mode_ == Mode::kTraining;
  save->stage = may_wait && !save->id ? SaveStage::kHeld : SaveStage::kOpening;
  UploadIfOpened(*save);
  if (save->stage == SaveStage::kOpening) {
    SendOf(*save);
    repeat_at_ = now_ + settings_.deadlines.Repeat();
  }
}

void TrainerCore::On(const Evaluated& event) {
  running_.reset();
  evaluation_ = event;
  evaluating_ = false;
  if (mode_ != Mode::kTraining) return;
  ended_early_ = event.stop;
  if (!event.stop.empty() && rank_ == 0) Do(Note{event.stop});
  TakeBest(event);
  SendProgress();
}

void TrainerCore::On(const ModelExported& event) {
  running_.reset();
  exported_ = true;
  model_uri_ = event.uri;
}

void TrainerCore::On(const EngineFailed& event) {
  running_.reset();
  Fail(event.reason, event.exit_code, event.kind);
}

void TrainerCore::On(const ShareStored& event) {
  Save* save = saves_.FindId(event.id);
  if (save == nullptr || save->stage != SaveStage::kUploading) return;
  save->stage = SaveStage::kStored;
  save->shard = event.shard;
  SendOf(*save);
  repeat_at_ = now_ + settings_.deadlines.Repeat();
}

void TrainerCore::On(const StoreFailed& event) {
  Save* save = saves_.FindId(event.id);
  if (save == nullptr) return;
  // The row says committed; only the mark beside the manifest is missing.
  if (save->stage == SaveStage::kCommitting) {
    Do(Note{"could not mark the checkpoint of step " + std::to_string(save->step) +
            " as committed in the store: " + event.reason});
    return On(CommittedStored{event.id});
  }
  save->stage = SaveStage::kFailed;
  save->failure = event.reason;
  Do(Note{"could not store the checkpoint of step " + std::to_string(save->step) + ": " +
          event.reason});
  SendOf(*save);
  repeat_at_ = now_ + settings_.deadlines.Repeat();
}

void TrainerCore::On(const ManifestStored& event) {
  Save* save = saves_.FindId(event.id);
  if (save == nullptr || save->stage != SaveStage::kManifest) return;
  save->stage = SaveStage::kWritten;
  save->manifest_hash = event.hash;
  save->bytes = event.bytes;
  save->shards = event.shards;
  SendOf(*save);
  repeat_at_ = now_ + settings_.deadlines.Repeat();
}

void TrainerCore::On(const CommittedStored& event) {
  Save* save = saves_.FindId(event.id);
  if (save == nullptr) return;
  committed_step_ = std::max(committed_step_, save->step);
  if (save->best) {
    best_ = Best{{save->id, save->uri, save->manifest_hash}, save->step, save->metric};
  }
  saves_.Erase(save->step);
}

void TrainerCore::On(const StorageWaits& event) { waiting_for_ = event.waiting_for; }

}  // namespace coxswain::trainer::core
