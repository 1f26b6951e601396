// Snapshots of this rank's share, and what the core has done with them in the store.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "trainer/blob/upload_loop.h"
#include "trainer/core/decisions.h"
#include "trainer/core/events.h"
#include "trainer/engine/engine.h"

namespace coxswain::trainer {

// What goes into every manifest of this process.
struct CheckpointFacts {
  std::string cluster, job;  // "CLUSTER", "j12"
  std::string spec_digest;
  uint64_t seed = 1;
  std::string store{};  // URI, below which all of them are
};

// Thread-safe; only Snapshot takes long (a copy of the share).
class CheckpointWork {
 public:
  using Report = std::function<void(const core::Event&)>;
  CheckpointWork(blob::StoreSettings settings, CheckpointFacts facts, Report report)
      : settings_(std::move(settings)), facts_(std::move(facts)), report_(std::move(report)) {}

  // What the job does to its data before training; it goes into every manifest. Before a Snapshot.
  void SetPreprocessing(std::string json);
  // Copies and hashes this rank's share of the engine's present state. On the engine's thread.
  // Returns which tensor holds a number that is not finite, and then keeps nothing; else empty.
  std::string Snapshot(const engine::Engine& engine, int64_t step, int64_t samples_per_epoch,
                       base::Rank rank);
  // The share is one that a program of the user's own has saved.
  void SnapshotFiles(std::shared_ptr<const blob::ShardBuffer> share, int64_t step);
  // StartUpload, StoreManifest, StoreCommitted, DropSave. Returns at once.
  void Do(const core::Action& action);
  // What an upload waits for; empty: nothing.
  std::string waiting_for();

 private:
  void On(const core::StartUpload& action);
  void On(const core::StoreManifest& action);
  void On(const core::StoreCommitted& action);
  void On(const core::DropSave& action);
  blob::UploadLoop& Loop();  // made when first needed; mutex_ held

  const blob::StoreSettings settings_;
  const CheckpointFacts facts_;
  const Report report_;
  std::mutex mutex_;
  std::map<int64_t, std::shared_ptr<const blob::ShardBuffer>> snapshots_;  // by step
  std::vector<blob::TensorInfo> tensors_;
  int64_t samples_per_epoch_ = 1;  // 0: of a program, which has no samples
  // Of the state that was copied, by step: a copy may wait while training goes on.
  struct Measured {
    engine::NoiseAverages noise;
    engine::EvaluationRecord evaluations;
    int64_t most_at_once = 0;
    uint32_t memory_kills = 0;
  };
  std::map<int64_t, Measured> measured_;
  std::string preprocessing_;
  std::unique_ptr<blob::UploadLoop> loop_;
};

}  // namespace coxswain::trainer
