// The engine's thread: one command of the core at a time, answered by one event.
#pragma once

#include <memory>
#include <string>

#include "trainer/core/decisions.h"
#include "trainer/core/events.h"
#include "trainer/engine/engine.h"
#include "trainer/runtime/checkpoint_work.h"
#include "trainer/runtime/metric_recorder.h"
#include "trainer/runtime/restore.h"

namespace coxswain::trainer {

struct EngineDoors {
  engine::Engine* engine = nullptr;
  CheckpointWork* checkpoints = nullptr;
  Restorer* restorer = nullptr;
  MetricRecorder* metrics = nullptr;
  int store_fd = -1;  // listening socket for a generation that this rank hosts
  std::string store, model_folder;
  std::string preprocessing;   // JobData's
  std::string tokenizer_json;  // goes with the model; or empty
  // Of a job that begins with another's weights (spec.model.from); or empty.
  engine::Engine::Restore begin_from;
  blob::StoreSettings store_settings;
};

class EngineLoop {
 public:
  explicit EngineLoop(EngineDoors doors) : doors_(std::move(doors)) {}
  core::Event Execute(const core::EngineCommand& command);

 private:
  core::Event Run(const core::JoinGroup& command);
  core::Event Run(const core::RunStep& command);
  core::Event Run(const core::TakeSnapshot& command);
  core::Event Run(const core::Evaluate& command);
  core::Event Run(const core::ExportModel& command);

  const EngineDoors doors_;
  base::Rank rank_ = 0;
  base::Generation generation_;
  int64_t samples_per_epoch_ = 1;
  int64_t step_ = 0;
  int64_t most_at_once_ = 0;  // as it was told last
};

// What a failure comes to. `unfit`: the kind of what the user has to mend (settings, or data).
core::EngineFailed FailureOf(const absl::Status& status, protocol::FailureKind unfit);

}  // namespace coxswain::trainer
