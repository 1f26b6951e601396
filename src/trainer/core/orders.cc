// What the coordinator, the worker and time ask for.
#include "common/base/check.h"
#include "trainer/core/trainer_core.h"

namespace coxswain::trainer::core {

void TrainerCore::On(const Started& event) {
  address_ = event.address;
  rank_ = settings_.rank;
  progress_at_ = now_ + settings_.deadlines.Heartbeat() / 4;
  SendUnanswered();
}

void TrainerCore::On(const OrderReceived& event) {
  std::visit([this](const auto& order) { On(order); }, event.order);
}

void TrainerCore::On(const LinkConnected&) {
  // Always: a coordinator that comes back learns from it which generation this rank is in.
  if (mode_ != Mode::kWaiting || collective_failure_) {
    Report(protocol::TrainerReady{address_, generation_});
  }
  if (formed_) Report(*formed_);
  SendUnanswered();
}

void TrainerCore::On(const TerminateSignalled&) {
  if (!stop_) {
    stop_ = Stop{false, true, "told to stop by a signal", now_ + StopLimit(false)};
    if (mode_ == Mode::kTraining && !LastStepDone()) return;
  } else if (stop_->save && !stop_->by_signal && mode_ == Mode::kTraining) {
    // The save that was asked for goes on; the sender's grace bounds it.
    stop_->by_signal = true;
    return;
  }
  if (settings_.own_program) stop_->by_signal = true;
  FinishNow(true);
}

void TrainerCore::On(const TimerFired& event) {
  if (mode_ != Mode::kFinished) phase_ = PhaseNow(event.phase);
  if (stop_ && mode_ == Mode::kTraining && !LastStepDone() && now_ >= stop_->give_up) {
    Do(Note{"the present step does not end; stopping without it: " + stop_->reason});
    return FinishNow(true);
  }
  if (now_ >= progress_at_) SendProgress();
  if (AnythingUnanswered() && now_ >= repeat_at_) SendUnanswered();
}

void TrainerCore::On(const protocol::FormGeneration& order) {
  if (order.generation <= generation_ || (pending_ && order.generation <= pending_->generation)) {
    if (order.generation == generation_ && formed_) Report(*formed_);
    return;
  }
  const protocol::Member* self = nullptr;
  for (const protocol::Member& member : order.members) {
    if (member.incarnation == settings_.incarnation) self = &member;
  }
  if (self == nullptr) {
    return Do(Note{"generation " + std::to_string(order.generation.value) +
                   " does not name this process; it is left alone"});
  }
  if (stop_ || (mode_ == Mode::kFinished && stopped_)) return;
  rank_ = self->rank;
  pending_ = order;
  if (running_ == Work::kCollective) Do(AbortGroup{});
}

void TrainerCore::On(const protocol::CheckpointOpened& order) {
  if (order.generation != generation_ || ended_.contains(order.uri)) return;
  Save* save = saves_.FindStep(order.step);
  if (save == nullptr && settings_.own_program && rank_ != 0) {
    // Rank 0's program has said that it has saved.
    if (!InGroup() || order.step <= committed_step_ || !settings_.saves) return;
    BeginSave(order.step, order.step, false);
    save = saves_.FindStep(order.step);
  }
  if (save == nullptr) {
    if (order.step > committed_step_) early_ = order;
    return;
  }
  // Said again: the coordinator has restarted and knows no more of this save than that it is open.
  if (save->id == order.id) return SendOf(*save);
  if (save->id) {
    // Rank 0 was refused this one and has begun anew; we shall be told, and then need this.
    if (order.id > save->id) early_ = order;
    return;
  }
  save->id = order.id;
  save->uri = order.uri;
  UploadIfOpened(*save);
}

void TrainerCore::On(const protocol::WriteManifest& order) {
  Save* save = saves_.FindId(order.id);
  if (save == nullptr || rank_ != 0 || save->stage != SaveStage::kStored) return;
  save->stage = SaveStage::kManifest;
  save->shards = static_cast<uint32_t>(order.shards.size());
  Do(StoreManifest{save->id, save->step, save->position, save->generation, save->uri, world_size_,
                   order.shards});
}

void TrainerCore::On(const protocol::CheckpointCommitted& order) {
  Save* save = saves_.FindId(order.id);
  if (save == nullptr) return;
  if (rank_ == 0) {
    if (save->stage == SaveStage::kCommitting) return;
    save->stage = SaveStage::kCommitting;
    return Do(StoreCommitted{save->id, save->uri, order.manifest_hash});
  }
  committed_step_ = std::max(committed_step_, save->step);
  saves_.Erase(save->step);
}

void TrainerCore::On(const protocol::CheckpointRefused& order) {
  if (order.generation && order.generation != generation_) return;
  RefuseSave(order.step, order.id, order.reason);
}

void TrainerCore::RefuseSave(int64_t step, base::CheckpointId id, const std::string& reason) {
  if (early_ && id && early_->id == id) {
    ended_.insert(early_->uri);
    early_.reset();
  }
  Save* save = id ? saves_.FindId(id) : nullptr;
  if (save == nullptr) save = saves_.FindStep(step);
  if (save == nullptr || (id && save->id && save->id != id)) return;
  Do(Note{"the checkpoint of step " + std::to_string(save->step) + " was not recorded: " + reason});
  Do(DropSave{save->step, save->uri});
  if (!save->uri.empty()) ended_.insert(save->uri);
  bool last = LastStepDone() && (settings_.own_program ? rank_ == 0 : save->step == step_);
  if (last && save->best) best_here_ = {save->step, save->metric};
  if (last && settings_.own_program && !saved_) saved_ = save->step;
  saves_.Erase(save->step);
  if (!last) return;
  // Three tries: what refuses the third will refuse the fourth.
  if (++refusals_ >= 3) {
    return Fail("the last checkpoint could not be saved: " + reason, protocol::kExitInfrastructure,
                protocol::FailureKind::kStore);
  }
  retry_save_at_ = now_ + settings_.deadlines.Repeat();
}

void TrainerCore::On(const protocol::SaveNow& order) {
  if (!settings_.saves || mode_ == Mode::kFinished) return;
  Do(Note{"told to save: " + order.reason});
  if (rank_ == 0) {
    save_due_ = true;
  } else {
    save_wanted_ = true;
  }
}

void TrainerCore::On(const protocol::StopTraining& order) {
  if (mode_ == Mode::kFinished || stop_agreed_) return;
  bool save = order.save && settings_.saves && mode_ == Mode::kTraining;
  if (stop_ && !save) {
    stop_->save = stop_->save && order.save;
  }
  if (!stop_) {
    stop_ = Stop{save, false, order.reason.empty() ? "told to stop" : order.reason,
                 now_ + StopLimit(save)};
    Do(Note{"told to stop" + std::string(save ? " with a checkpoint" : "") + ": " + order.reason});
  }
  bool stepping = mode_ == Mode::kTraining && !LastStepDone();
  if (stepping) return;
  // After the last step the save is on its way anyhow; without one there is nothing to wait for.
  if (mode_ == Mode::kTraining && save) return;
  FinishNow(true);
}

void TrainerCore::On(const protocol::FinishAcknowledged&) {
  if (mode_ != Mode::kFinished) return;
  Leave(stopped_ ? protocol::kExitStopped : protocol::kExitOk,
        stopped_ ? (stop_ ? stop_->reason : "stopped") : "training finished");
}

// A step is over in a moment, or it never is; a program has its grace.
base::Duration TrainerCore::StopLimit(bool save) const {
  if (settings_.own_program) return settings_.grace;
  return save ? settings_.grace / 2 : settings_.deadlines.Repeat();
}

}  // namespace coxswain::trainer::core
