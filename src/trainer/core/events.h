// What happens to a trainer. Each engine command is answered by exactly one engine event.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/protocol/trainer_messages.h"
#include "trainer/core/training_plan.h"

namespace coxswain::trainer::core {

// ---- from outside ----

struct Started {
  std::string address;  // of this process's store socket
};
struct OrderReceived {
  protocol::TrainerOrder order;
};
struct LinkConnected {};
struct TerminateSignalled {};  // SIGTERM or SIGINT
// Time has passed `NextDeadline`. `phase`: where the engine is now.
struct TimerFired {
  protocol::Phase phase = protocol::Phase::kWaiting;
};

// ---- from the engine ----

// Answers Evaluate.
struct Evaluated {
  double loss = 0;
  double accuracy = 0;  // below 0: the model gives numbers, not classes
  // What the job's best checkpoint is judged by, and what Evaluate said on rank 0.
  double metric = std::numeric_limits<double>::quiet_NaN();
  bool has_best = false;
  double best = 0;
  int64_t held_step = 0;
  std::string stop{};  // not empty: training ends here, for this reason. The same on every rank
};

// Answers JoinGroup.
struct GroupFormed {
  base::Generation generation;
  int64_t step = 0;
  int64_t position = 0;
  TrainingPlan plan;
  // Rank 0, unless the state came from a survivor's memory.
  std::vector<protocol::GenerationFormed::Refused> refused;
  std::string restored_uri;
  base::CheckpointId restored;
  int64_t at_once = 0;  // samples at a time since memory ran out; 0: it has not
};
// Answers JoinGroup or any collective command: a peer is gone or the time is up. State is kept.
struct CollectiveFailed {
  std::string reason;
};
// Answers RunStep.
struct StepFinished {
  int64_t step = 0;      // of this step: 1-based count of updates applied
  int64_t position = 0;  // after it
  int64_t samples = 0;   // of the global batch
  double loss = 0;       // mean over the global batch
  base::Duration took{};
  // Agreed by all ranks in this step:
  bool save = false;         // rank 0 said go
  bool save_wanted = false;  // some rank was told to save
  bool stop = false;         // some rank was told to stop
  bool stop_with_save = false;
  double noise = 0;     // gradient noise scale, in samples; 0: not known
  int64_t at_once = 0;  // as in GroupFormed
};
// Answers RunStep: the update was not applied. Or TakeSnapshot: there is none.
struct NotFinite {
  int64_t step = 0;
  std::string what;               // "loss", "gradient norm", "state"
  std::vector<base::Rank> ranks;  // a loss: those whose own is not finite
  std::string where;              // "first parameter with a non-finite gradient: layers.3.weight"
};
// Answers RunStep of a rank with a program of the user's own: what it has said meanwhile.
struct ProgramSaid {
  int64_t step = 0;  // the highest so far
  double loss = std::numeric_limits<double>::quiet_NaN();
  int64_t epoch = 0, epochs = 0, total_steps = 0;  // 0: not said
  double samples_per_second = 0;
  int64_t remaining_ms = -1;
  std::optional<Evaluated> evaluation;
  std::optional<int64_t> saved;  // a new checkpoint of that step is complete in its folder
  bool ended = false;            // with exit code 0, or told to stop
};
// Answers any command: the program ended by itself, with a code or a signal.
struct ProgramFailed {
  int code = 0;
  int signal = 0;
  std::string reason;
};
struct SnapshotTaken {
  int64_t step = 0;
};
struct ModelExported {
  std::string uri;
};
// Answers any command: this process cannot go on.
struct EngineFailed {
  std::string reason;
  int exit_code = protocol::kExitInternal;
  protocol::FailureKind kind = protocol::FailureKind::kBug;
};

// ---- from storage ----

struct ShareStored {
  base::CheckpointId id;
  protocol::Shard shard;
};
// A share or the manifest could not be stored for good.
struct StoreFailed {
  base::CheckpointId id;
  std::string reason;
};
struct ManifestStored {
  base::CheckpointId id;
  std::string hash;
  uint64_t bytes = 0;
  uint32_t shards = 0;
};
struct CommittedStored {
  base::CheckpointId id;
};
// What storage waits for ("checkpoint store s3://... unreachable since 12:03:11"); empty: nothing.
struct StorageWaits {
  std::string waiting_for;
};

using Event = std::variant<Started, OrderReceived, LinkConnected, TerminateSignalled, TimerFired,
                           GroupFormed, CollectiveFailed, StepFinished, NotFinite, ProgramSaid,
                           ProgramFailed, SnapshotTaken, Evaluated, ModelExported, EngineFailed,
                           ShareStored, StoreFailed, ManifestStored, CommittedStored, StorageWaits>;

}  // namespace coxswain::trainer::core
