// The checkpoints that this rank has begun and not yet seen the end of.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/protocol/trainer_messages.h"

namespace coxswain::trainer::core {

enum class SaveStage : uint8_t {
  kSnapshot,    // the engine is copying
  kHeld,        // rank 0: copied; another is on its way, or the step's evaluation is to come
  kOpening,     // copied; waiting for CheckpointOpened
  kUploading,   // the share is on its way
  kStored,      // ShardStored is being repeated
  kManifest,    // rank 0: the manifest is being written
  kWritten,     // rank 0: ManifestWritten is being repeated
  kCommitting,  // rank 0: the `committed` object is being written
  kFailed,      // CheckpointFailed is being repeated
};

struct Save {
  int64_t step = 0;
  int64_t position = 0;
  base::Generation generation;
  bool final = false;
  bool best = false;  // by its evaluation, which is `metric`
  double metric = 0;
  SaveStage stage = SaveStage::kSnapshot;
  base::CheckpointId id;      // 0: not opened
  std::string uri;            // may be known while still in kSnapshot
  protocol::Shard shard;      // from kStored
  std::string manifest_hash;  // from kWritten
  uint64_t bytes = 0;
  uint32_t shards = 0;
  std::string failure;  // from kFailed
};

// Keyed by step. At most one is being stored; a best one may wait for the end of another.
class SaveTable {
 public:
  Save& Begin(int64_t step, int64_t position, base::Generation generation, bool final);
  Save* FindStep(int64_t step);
  Save* FindId(base::CheckpointId id);
  void Erase(int64_t step) { saves_.erase(step); }
  bool empty() const { return saves_.empty(); }
  const std::map<int64_t, Save>& all() const { return saves_; }

 private:
  std::map<int64_t, Save> saves_;
};

}  // namespace coxswain::trainer::core
