// Finds the newest checkpoint that verifies.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/protocol/trainer_messages.h"
#include "trainer/blob/checkpoint_io.h"
#include "trainer/engine/engine.h"

namespace coxswain::trainer {

// What happened to each candidate; what GenerationFormed tells.
struct RestoreReport {
  std::vector<protocol::GenerationFormed::Refused> refused;  // newest first
  std::string uri;                                           // taken; empty: none
  base::CheckpointId id;                                     // of it; 0: none, or given by URI
};

class Restorer {
 public:
  explicit Restorer(blob::StoreSettings settings) : settings_(std::move(settings)) {}

  // Tries `form.restore` in order. Null: start afresh, because there is no candidate or all of them
  // are proved wrong. Of those that a user named none can be used: DATA_LOSS, one is damaged (its
  // storage lost or changed bytes; the object, found and expected are in the text);
  // INVALID_ARGUMENT, it is not there, was not committed or is of another format. Other codes: the
  // store could not be read for a long time; progress is not thrown away for that.
  absl::StatusOr<std::shared_ptr<blob::RestoredState>> Run(const protocol::FormGeneration& form,
                                                           RestoreReport* report);
  // What a restore waits for; empty: nothing. From any thread.
  std::string waiting_for() const;

 private:
  absl::StatusOr<std::shared_ptr<blob::RestoredState>> Read(
      const protocol::RestoreCandidate& candidate, bool allow_uncommitted);

  blob::StoreSettings settings_;
  mutable std::mutex mutex_;
  std::shared_ptr<blob::Patience> patience_;
};

// As the engine takes it; null stays null.
std::unique_ptr<engine::SavedState> StateForEngine(std::shared_ptr<blob::RestoredState> restored);

}  // namespace coxswain::trainer
