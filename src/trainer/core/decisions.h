// What a trainer's core wants done.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/protocol/trainer_messages.h"

namespace coxswain::trainer::core {

// ---- for the engine: one at a time, each answered by one event ----

struct JoinGroup {
  protocol::FormGeneration form;
  base::Rank rank = 0;
};
// One optimizer step. The flags go into the control vector that all ranks sum in this step.
struct RunStep {
  bool save = false;         // rank 0 alone: all are to save after this step
  bool save_wanted = false;  // this rank was told to save
  bool stop = false;
  bool stop_with_save = false;
};
struct TakeSnapshot {
  int64_t step = 0;
};
// The ranks agree on what rank 0 says of best checkpoints.
struct Evaluate {
  bool has_best = false;
  double best = 0;        // evaluation of the best one that is saved or on its way
  int64_t held_step = 0;  // of a best one that nothing has been stored of yet; 0: none
};
struct ExportModel {
  std::optional<protocol::RestoreCandidate> best;  // of this checkpoint; none: the present one
};

using EngineCommand = std::variant<JoinGroup, RunStep, TakeSnapshot, Evaluate, ExportModel>;

// ---- for the shell and for storage ----

// Free the engine from a collective that cannot end; it answers with CollectiveFailed.
struct AbortGroup {};
struct StartUpload {
  base::CheckpointId id;
  int64_t step = 0;
  int64_t position = 0;
  base::Generation generation;
  std::string uri;
  base::Rank rank = 0;
  uint32_t world_size = 1;
};
struct StoreManifest {
  base::CheckpointId id;
  int64_t step = 0;
  int64_t position = 0;
  base::Generation generation;
  std::string uri;
  uint32_t world_size = 1;
  std::vector<protocol::Shard> shards;
};
struct StoreCommitted {
  base::CheckpointId id;
  std::string uri;
  std::string manifest_hash;
};
// Forget the snapshot of `step` and any upload of it.
struct DropSave {
  int64_t step = 0;
  std::string uri;  // empty: not opened yet
};
// One line for the log.
struct Note {
  std::string text;
};
struct Exit {
  int code = 0;
  int signal = 0;  // the process ends by this one, as the user's program did; 0: with `code`
  std::string reason;
};

using Action =
    std::variant<AbortGroup, StartUpload, StoreManifest, StoreCommitted, DropSave, Note, Exit>;

struct Decisions {
  std::vector<protocol::TrainerReport> reports;  // to the coordinator, in order
  std::vector<Action> actions;                   // in order, before `engine`
  std::vector<EngineCommand> engine;             // none or one
};

}  // namespace coxswain::trainer::core
