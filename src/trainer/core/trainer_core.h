// One rank's decisions, as a pure state machine.
//
// Owner: the shell, which calls it from one thread at a time. It holds no clock and no handle of
// any kind. The engine is busy from the moment a command is returned until the event that answers
// it.
#pragma once

#include <limits>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "common/base/deadlines.h"
#include "common/base/time.h"
#include "trainer/core/decisions.h"
#include "trainer/core/events.h"
#include "trainer/core/save_table.h"

namespace coxswain::trainer::core {

struct Settings {
  base::Rank rank = 0;
  base::Incarnation incarnation;
  base::Deadlines deadlines;
  int64_t save_every_steps = 0;      // 0: off
  base::Duration save_every_time{};  // 0: off
  bool saves = true;                 // false: no checkpoint at all (standalone)
  bool exports = true;               // rank 0 exports the model at the end
  bool keeps_best = false;           // saves what is evaluated best
  bool higher_is_best = false;
  bool exports_best = false;  // not the last one
  bool own_program = false;   // of the user's: it steps and saves by itself, and says so
  base::Duration grace = base::seconds(30);
};

enum class Mode : uint8_t {
  kWaiting,   // for a first or a new FormGeneration
  kForming,   // the engine joins the group
  kTraining,  // in a generation, steps or the work after the last one
  kFinished,  // TrainingFinished is being repeated
  kExited,    // Exit was decided: nothing more happens
};

// What the engine's running command is about.
enum class Work : uint8_t {
  kCollective,  // needs the other ranks: a join, a step, an evaluation
  kSnapshot,
  kExport,
};

class TrainerCore {
 public:
  explicit TrainerCore(Settings settings) : settings_(std::move(settings)) {}

  Decisions Decide(base::Time now, const Event& event);
  // When TimerFired is wanted next.
  std::optional<base::Time> NextDeadline() const;

  Mode mode() const { return mode_; }
  int64_t step() const { return step_; }
  base::Generation generation() const { return generation_; }

 private:
  // Stops are ordered by how little time they leave.
  struct Stop {
    bool save = false;
    bool by_signal = false;
    std::string reason;
    base::Time give_up;  // exit even if the engine is stuck
  };

  // Handlers, one per event.
  void On(const Started& event);
  void On(const OrderReceived& event);
  void On(const LinkConnected& event);
  void On(const TerminateSignalled& event);
  void On(const TimerFired& event);
  void On(const GroupFormed& event);
  void On(const CollectiveFailed& event);
  void On(const StepFinished& event);
  void On(const NotFinite& event);
  void On(const ProgramSaid& event);
  void On(const ProgramFailed& event);
  void On(const SnapshotTaken& event);
  void On(const Evaluated& event);
  void On(const ModelExported& event);
  void On(const EngineFailed& event);
  void On(const ShareStored& event);
  void On(const StoreFailed& event);
  void On(const ManifestStored& event);
  void On(const CommittedStored& event);
  void On(const StorageWaits& event);

  // Orders.
  void On(const protocol::FormGeneration& order);
  void On(const protocol::CheckpointOpened& order);
  void On(const protocol::WriteManifest& order);
  void On(const protocol::CheckpointCommitted& order);
  void On(const protocol::CheckpointRefused& order);
  void On(const protocol::SaveNow& order);
  void On(const protocol::StopTraining& order);
  void On(const protocol::FinishAcknowledged& order);

  // What the engine should do next, if it is free.
  void Pump();
  void PumpAfterLastStep();
  RunStep NextStep();
  void Command(EngineCommand command);
  protocol::Phase PhaseNow(protocol::Phase of_engine) const;
  void BeginSave(int64_t step, int64_t position, bool final);
  Save& StartSave(int64_t step, int64_t position, bool final);  // besides what is in flight
  void UploadIfOpened(Save& save);
  // Of best checkpoints.
  Evaluate NextEvaluation() const;
  void TakeBest(const Evaluated& event);
  ExportModel ExportOfBest();
  void OpenHeld();
  bool MayOpen(const Save& save) const;
  void DropSavesIf(bool (*predicate)(const Save&, base::Generation current));
  void RefuseSave(int64_t step, base::CheckpointId id, const std::string& reason);
  void FinishNow(bool stopped);
  void Leave(int code, std::string reason, int signal = 0);
  void Fail(std::string reason, int code, protocol::FailureKind kind);
  void SendUnanswered();
  void SendOf(const Save& save);
  void SendProgress();
  void Report(protocol::TrainerReport report) { out_.reports.push_back(std::move(report)); }
  void Do(Action action) { out_.actions.push_back(std::move(action)); }
  bool AnythingUnanswered() const;
  bool LastStepDone() const {
    return stop_agreed_ || !ended_early_.empty() ||
           (settings_.own_program ? ended_well_ : plan_.Done(step_, position_));
  }
  base::Duration StopLimit(bool save) const;
  void FillFromProgram(protocol::TrainerProgress* progress) const;
  bool SaveInFlight() const { return !saves_.empty(); }
  bool InGroup() const { return mode_ == Mode::kTraining || mode_ == Mode::kFinished; }

  const Settings settings_;
  base::Time now_;
  Decisions out_;

  Mode mode_ = Mode::kWaiting;
  std::optional<Work> running_;  // of the engine's command; empty: the engine is free
  std::string address_;
  base::Generation generation_;                      // joined or being joined
  std::optional<protocol::FormGeneration> pending_;  // newer than generation_, not begun
  std::optional<protocol::GenerationFormed> formed_;
  std::optional<std::string> collective_failure_;  // of generation_, being repeated
  base::Rank rank_ = 0;
  uint32_t world_size_ = 1;

  TrainingPlan plan_;
  int64_t step_ = 0;
  int64_t position_ = 0;
  double loss_ = std::numeric_limits<double>::quiet_NaN();  // until a step of this process
  double noise_ = 0;                                        // gradient noise scale
  double rate_ = 0;                                         // samples per second, smoothed
  std::optional<Evaluated> evaluation_;
  bool evaluation_due_ = false;
  bool evaluating_ = false;
  std::string ended_early_;  // why; empty: it has not
  // Rank 0: the best checkpoint that is committed. Its step is -1 if another generation saved it.
  struct Best {
    protocol::RestoreCandidate checkpoint;
    int64_t step = -1;
    double metric = 0;
  };
  std::optional<Best> best_;
  std::optional<std::pair<int64_t, double>> best_here_;  // the last step, and its evaluation

  SaveTable saves_;
  bool save_due_ = false;                // rank 0: save as soon as no other is in flight
  bool save_wanted_ = false;             // other ranks: pass SaveNow on with the next step
  std::optional<int64_t> snapshot_due_;  // agreed: copy before the next step. Of this one
  base::Time last_save_;
  int64_t committed_step_ = -1;  // newest step known to be in a committed checkpoint of this job
  base::Time retry_save_at_;     // the save after the last step was refused: not before this
  int refusals_ = 0;             // of the save after the last step
  std::optional<protocol::CheckpointOpened> early_;  // arrived before our own step
  // Folders of what was refused: a late repetition is not to be used. Not ids: a coordinator whose
  // store was restored from an older copy gives those again.
  std::set<std::string> ended_;

  std::optional<ProgramSaid> said_;  // by a program of the user's own
  std::optional<int64_t> saved_;     // rank 0: it has said that this one is complete; not yet begun
  bool ended_well_ = false;          // it has

  std::optional<Stop> stop_;
  bool stop_agreed_ = false;
  bool stopped_ = false;  // what TrainingFinished says
  bool exported_ = false;
  std::string model_uri_;
  std::string waiting_for_;
  int64_t at_once_ = 0;  // samples at a time since memory ran out; 0: it has not
  protocol::Phase phase_ = protocol::Phase::kStarting;
  bool first_step_ = true;  // of this generation
  base::Time progress_at_;
  base::Time repeat_at_;
};

}  // namespace coxswain::trainer::core
