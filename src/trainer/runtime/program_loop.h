// A program of the user's own in the place of the engine: the same commands of the core, answered
// by starting it, letting it run on, reading its folder and ending it.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/config/job_spec.h"
#include "trainer/core/decisions.h"
#include "trainer/core/events.h"
#include "trainer/program/child_process.h"
#include "trainer/program/program_environment.h"
#include "trainer/program/said_file.h"
#include "trainer/runtime/checkpoint_work.h"
#include "trainer/runtime/restore.h"
#include "trainer/runtime/trainer_link.h"

namespace coxswain::trainer {

struct ProgramDoors {
  CheckpointWork* checkpoints = nullptr;
  Restorer* restorer = nullptr;
  std::function<void()> free_port;  // where rank 0's program is to listen
  FindCode find_code;               // of spec.code; unset: there is none
  config::JobSpec spec;
  program::ProgramPlace place;                     // what is known before there is a generation
  std::map<std::string, std::string> environment;  // of this process
  std::string folder;                              // of the rank, for what the program needs
};

class ProgramLoop {
 public:
  explicit ProgramLoop(ProgramDoors doors) : doors_(std::move(doors)) {}

  // Before all else: gets and unpacks spec.code. Waits as long as it is on its way.
  std::optional<core::EngineFailed> PrepareCode();
  // On one thread, the life of which is the program's.
  core::Event Execute(const core::EngineCommand& command);
  // From any thread: it is to be ended for a new generation.
  void Abort() { aborted_ = true; }
  protocol::Phase phase() const { return phase_; }
  std::vector<protocol::MetricPoint> TakeMetrics();
  std::string WaitingFor();  // its code, and what holds that up; empty: nothing

 private:
  struct Announced {
    std::string folder;
    bool ours = false;  // below COXSWAIN_CHECKPOINT_DIR
  };

  core::Event Run(const core::JoinGroup& command);
  core::Event Run(const core::RunStep& command);
  core::Event Run(const core::TakeSnapshot& command);
  core::Event Run(const core::Evaluate& command);
  core::Event Run(const core::ExportModel& command);

  std::optional<core::EngineFailed> StartProgram(const protocol::FormGeneration& form,
                                                 bool restored);
  void StopProgram();
  bool LetRun(base::Duration limit);
  bool Ended();
  void ReadSaid();
  void Take(const program::Said& said);
  void TakeCheckpoint(const program::Said& said);
  void AddPoints(const program::Said& said);
  core::Event Answer();
  core::Event FailureOfProgram() const;
  void Remove(const Announced& announced) const;
  bool Saves() const { return doors_.place.rank == 0 || doors_.spec.checkpoint.by_every_rank; }
  std::string CheckpointDir() const { return doors_.folder + "/checkpoints"; }
  std::string ResumeDir() const { return doors_.folder + "/resume"; }
  std::string CodeDir() const { return doors_.folder + "/code"; }
  std::string WorkDir() const;
  absl::StatusOr<std::string> WaitForCode();
  void SetWaiting(const std::string& what);

  ProgramDoors doors_;
  base::Generation generation_;
  std::atomic<bool> aborted_ = false;
  std::atomic<protocol::Phase> phase_ = protocol::Phase::kStarting;

  std::optional<program::ChildProcess> child_;
  std::optional<program::ChildEnd> end_;
  std::unique_ptr<program::SaidFile> said_file_;
  bool told_to_stop_ = false;

  core::ProgramSaid said_;
  std::optional<std::pair<base::Time, int64_t>> first_step_;  // that was said, and when
  std::map<int64_t, Announced> announced_;                    // not yet taken, by step
  int64_t last_announced_ = -1;
  std::optional<std::pair<int64_t, Announced>> taken_;  // kept until the next one is
  size_t mistakes_ = 0;

  std::mutex mutex_;
  std::vector<protocol::MetricPoint> points_;  // guarded by mutex_
  std::string waiting_for_;                    // guarded by mutex_
};

}  // namespace coxswain::trainer
