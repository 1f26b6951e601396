#include "trainer/core/trainer_core.h"

#include "common/base/check.h"

namespace coxswain::trainer::core {

Decisions TrainerCore::Decide(base::Time now, const Event& event) {
  now_ = now;
  out_ = Decisions{};
  if (mode_ == Mode::kExited) return {};
  std::visit([this](const auto& body) { On(body); }, event);
  OpenHeld();
  Pump();
  return std::move(out_);
}

std::optional<base::Time> TrainerCore::NextDeadline() const {
  if (mode_ == Mode::kExited) return std::nullopt;
  base::Time next = progress_at_;
  if (AnythingUnanswered()) next = std::min(next, repeat_at_);
  if (stop_ && mode_ == Mode::kTraining && !LastStepDone()) next = std::min(next, stop_->give_up);
  if (LastStepDone() && retry_save_at_ > now_) next = std::min(next, retry_save_at_);
  return next;
}

void TrainerCore::Command(EngineCommand command) {
  CHECK(!running_) << "two commands for one engine";
  running_ = std::holds_alternative<TakeSnapshot>(command)  ? Work::kSnapshot
             : std::holds_alternative<ExportModel>(command) ? Work::kExport
                                                            : Work::kCollective;
  out_.engine.push_back(std::move(command));
}

// The engine knows the phases of a step only; what follows the last one is told apart here.
protocol::Phase TrainerCore::PhaseNow(protocol::Phase of_engine) const {
  if (running_ == Work::kExport) return protocol::Phase::kExport;
  if (running_ == Work::kSnapshot) return protocol::Phase::kCheckpoint;
  bool waits_for_save = mode_ == Mode::kTraining && !running_ && LastStepDone() && SaveInFlight();
  return waits_for_save ? protocol::Phase::kCheckpoint : of_engine;
}

void TrainerCore::Pump() {
  if (running_ || mode_ == Mode::kExited) return;
  if (pending_) {
    generation_ = pending_->generation;
    best_.reset();
    if (pending_->has_best) best_ = Best{pending_->best, -1, pending_->best_metric};
    world_size_ = static_cast<uint32_t>(pending_->members.size());
    mode_ = Mode::kForming;
    collective_failure_.reset();
    formed_.reset();
    JoinGroup join{*std::exchange(pending_, std::nullopt), rank_};
    return Command(std::move(join));
  }
  const bool gives =
      mode_ == Mode::kTraining || (mode_ == Mode::kFinished && settings_.own_program);
  if (gives && snapshot_due_) {
    return Command(TakeSnapshot{*std::exchange(snapshot_due_, std::nullopt)});
  }
  if (mode_ != Mode::kTraining) return;
  if (saved_ && !SaveInFlight() && now_ >= retry_save_at_ && (!stop_ || stop_->save)) {
    BeginSave(*saved_, *saved_, ended_well_);
    saved_.reset();
    return Command(TakeSnapshot{*std::exchange(snapshot_due_, std::nullopt)});
  }
  if (evaluation_due_ && !stop_agreed_) {
    Command(NextEvaluation());
    evaluation_due_ = false;
    evaluating_ = true;
    return;
  }
  if (LastStepDone()) return PumpAfterLastStep();
  Command(NextStep());
}

// The state no longer changes: save it, export it, then say so.
void TrainerCore::PumpAfterLastStep() {
  bool may_save = settings_.saves && (!stop_agreed_ || (stop_ && stop_->save));
  bool must_save = may_save && (settings_.own_program ? saved_.has_value()
                                                      : committed_step_ != step_ && step_ > 0);
  if (must_save && !settings_.own_program && !SaveInFlight() && now_ >= retry_save_at_) {
    BeginSave(step_, position_, !stop_agreed_);
    snapshot_due_.reset();
    return Command(TakeSnapshot{step_});
  }
  if (!stop_agreed_ && rank_ == 0 && settings_.exports && !exported_) {
    if (!settings_.exports_best || !may_save) return Command(ExportModel{});
    if (must_save || SaveInFlight()) return;  // the best one may be on its way
    return Command(ExportOfBest());
  }
  // A stop without saving waits for nothing; what is on its way may end after the next start.
  if (must_save || (SaveInFlight() && !(stop_agreed_ && stop_ && !stop_->save))) return;
  FinishNow(stop_agreed_);
}

RunStep TrainerCore::NextStep() {
  RunStep step;
  if (stop_) {
    step.stop = true;
    step.stop_with_save = stop_->save;
  }
  step.save_wanted = std::exchange(save_wanted_, false);
  if (rank_ != 0 || !settings_.saves) return step;
  bool every = settings_.save_every_steps > 0 && (step_ + 1) % settings_.save_every_steps == 0;
  bool time =
      settings_.save_every_time.count() > 0 && now_ - last_save_ >= settings_.save_every_time;
  save_due_ = save_due_ || every || time;
  // The last step's save is a matter of course and needs no agreement.
  bool last = plan_.Done(step_ + 1, position_ + plan_.NextBatch(position_));
  if (save_due_ && !last && !stop_ && !SaveInFlight()) {
    step.save = true;
    save_due_ = false;
  }
  return step;
}

void TrainerCore::BeginSave(int64_t step, int64_t position, bool final) {
  // Rank 0 began this one, so it saw the end of the earlier: what we have not stored of that is of
  // no use.
  DropSavesIf([](const Save& save, base::Generation) { return save.stage < SaveStage::kStored; });
  StartSave(step, position, final);
}

Save& TrainerCore::StartSave(int64_t step, int64_t position, bool final) {
  Save& save = saves_.Begin(step, position, generation_, final);
  if (best_here_ && best_here_->first == step) {
    save.best = true;
    save.metric = best_here_->second;
  }
  last_save_ = now_;
  snapshot_due_ = step;
  if (early_ && early_->step == step && early_->generation == generation_) {
    save.id = early_->id;
    save.uri = early_->uri;
  }
  early_.reset();
  return save;
}

void TrainerCore::UploadIfOpened(Save& save) {
  if (save.stage != SaveStage::kOpening || !save.id) return;
  save.stage = SaveStage::kUploading;
  Do(StartUpload{save.id, save.step, save.position, save.generation, save.uri, rank_, world_size_});
}

void TrainerCore::DropSavesIf(bool (*predicate)(const Save&, base::Generation current)) {
  for (const auto& [step, save] : std::map(saves_.all())) {
    if (!predicate(save, generation_)) continue;
    Do(DropSave{save.step, save.uri});
    saves_.Erase(step);
  }
}

void TrainerCore::FinishNow(bool stopped) {
  mode_ = Mode::kFinished;
  stopped_ = stopped;
  phase_ = protocol::Phase::kDone;
  SendProgress();  // what people see of the job from now on
  Report(protocol::TrainingFinished{generation_, step_, position_, model_uri_, stopped,
                                    stopped ? "" : ended_early_});
  repeat_at_ = now_ + settings_.deadlines.Repeat();
  if (stop_ && stop_->by_signal) Leave(protocol::kExitStopped, stop_->reason);
}

void TrainerCore::Fail(std::string reason, int code, protocol::FailureKind kind) {
  Report(protocol::TrainingFailed{reason, code == protocol::kExitUserError, kind});
  Leave(code, std::move(reason));
}

void TrainerCore::Leave(int code, std::string reason, int signal) {
  mode_ = Mode::kExited;
  Do(Exit{code, signal, std::move(reason)});
}

bool TrainerCore::AnythingUnanswered() const {
  return mode_ == Mode::kWaiting || mode_ == Mode::kFinished || SaveInFlight();
}

void TrainerCore::SendOf(const Save& save) {
  switch (save.stage) {
    case SaveStage::kOpening:
      if (rank_ == 0) {
        Report(protocol::OpenCheckpoint{save.generation, save.step, save.position, save.final,
                                        save.best, save.metric});
      }
      break;
    case SaveStage::kStored:
      Report(protocol::ShardStored{save.id, save.generation, save.shard});
      break;
    case SaveStage::kWritten:
      Report(protocol::ManifestWritten{save.id, save.generation, save.manifest_hash, save.bytes,
                                       save.shards});
      break;
    case SaveStage::kFailed:
      Report(protocol::CheckpointFailed{save.id, save.step, save.generation, save.failure});
      break;
    case SaveStage::kSnapshot:
    case SaveStage::kHeld:
    case SaveStage::kUploading:
    case SaveStage::kManifest:
    case SaveStage::kCommitting:
      break;
  }
}

void TrainerCore::SendUnanswered() {
  repeat_at_ = now_ + settings_.deadlines.Repeat();
  if (mode_ == Mode::kWaiting) {
    if (collective_failure_) {
      Report(protocol::CollectiveFailed{generation_, step_, *collective_failure_});
    } else {
      Report(protocol::TrainerReady{address_, generation_});
    }
  }
  for (const auto& [step, save] : saves_.all()) SendOf(save);
  if (mode_ == Mode::kFinished) {
    Report(protocol::TrainingFinished{generation_, step_, position_, model_uri_, stopped_,
                                      stopped_ ? "" : ended_early_});
  }
}

void TrainerCore::SendProgress() {
  progress_at_ = now_ + settings_.deadlines.Heartbeat() / 4;
  protocol::TrainerProgress progress;
  progress.generation = generation_;
  progress.step = step_;
  progress.phase = phase_;
  progress.epoch = plan_.EpochOf(position_);
  progress.epochs = plan_.epochs;
  // Before the group has formed nobody knows how many samples there are.
  if (formed_) progress.total_steps = step_ + plan_.RemainingSteps(step_, position_);
  progress.position = position_;
  progress.loss = loss_;
  progress.samples_per_second = rate_;
  if (rate_ > 0) {
    auto steps = static_cast<double>(plan_.RemainingSteps(step_, position_));
    double samples = std::min(static_cast<double>(plan_.samples * plan_.epochs - position_),
                              steps * static_cast<double>(plan_.batch));
    progress.remaining_ms = static_cast<int64_t>(samples / rate_ * 1e3);
  }
  if (evaluation_) {
    progress.has_eval = true;
    progress.eval_loss = evaluation_->loss;
    progress.eval_accuracy = evaluation_->accuracy;
  }
  progress.global_batch = formed_ && !settings_.own_program ? plan_.batch : 0;
  progress.gradient_noise = noise_;
  progress.waiting_for = waiting_for_;
  progress.at_once = at_once_;
  if (settings_.own_program) FillFromProgram(&progress);
  Report(std::move(progress));
}

}  // namespace coxswain::trainer::core
