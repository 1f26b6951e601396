#include "trainer/runtime/checkpoint_work.h"

#include <cstring>

#include "common/base/version.h"
#include "common/log/log.h"
#include "trainer/blob/finite.h"
#include "trainer/runtime/evaluation_text.h"
#include "trainer/runtime/noise_text.h"
#include "trainer/runtime/table_data.h"

namespace coxswain::trainer {

void CheckpointWork::SetPreprocessing(std::string json) {
  std::lock_guard lock(mutex_);
  preprocessing_ = std::move(json);
}

std::string CheckpointWork::Snapshot(const engine::Engine& engine, int64_t step,
                                     int64_t samples_per_epoch, base::Rank rank) {
  const std::vector<blob::TensorInfo>& tensors = engine.StateTensors();
  std::string not_finite;
  auto buffer = blob::ShardBuffer::Build(
      tensors, engine.Share(), rank, [&](const blob::Piece& piece, char* to) {
        const char* from = engine.StateBytes(piece.tensor, piece.offset);
        std::memcpy(to, from, piece.bytes);
        if (not_finite.empty() &&
            !blob::AllFinite(tensors[piece.tensor].dtype, from, piece.bytes)) {
          not_finite = tensors[piece.tensor].name;
        }
      });
  if (!not_finite.empty()) return "tensor " + not_finite + " has a number that is none";
  std::lock_guard lock(mutex_);
  snapshots_[step] = std::move(buffer);
  tensors_ = tensors;
  samples_per_epoch_ = samples_per_epoch;
  measured_[step] = {engine.Noise(), engine.Evaluations(), engine.MostAtOnce(),
                     engine.MemoryKills()};
  return "";
}

void CheckpointWork::SnapshotFiles(std::shared_ptr<const blob::ShardBuffer> share, int64_t step) {
  std::lock_guard lock(mutex_);
  snapshots_[step] = std::move(share);
  samples_per_epoch_ = 0;
}

void CheckpointWork::Do(const core::Action& action) {
  std::lock_guard lock(mutex_);
  if (const auto* upload = std::get_if<core::StartUpload>(&action)) On(*upload);
  if (const auto* manifest = std::get_if<core::StoreManifest>(&action)) On(*manifest);
  if (const auto* committed = std::get_if<core::StoreCommitted>(&action)) On(*committed);
  if (const auto* drop = std::get_if<core::DropSave>(&action)) On(*drop);
}

blob::UploadLoop& CheckpointWork::Loop() {
  if (loop_ == nullptr)
    loop_ = std::make_unique<blob::UploadLoop>(settings_, blob::kSavePolicy, facts_.store);
  return *loop_;
}

std::string CheckpointWork::waiting_for() {
  std::lock_guard lock(mutex_);
  return loop_ == nullptr ? "" : loop_->waiting_for();
}

void CheckpointWork::On(const core::StartUpload& action) {
  auto found = snapshots_.find(action.step);
  if (found == snapshots_.end()) return;
  auto buffer = std::move(found->second);
  snapshots_.erase(found);
  protocol::Shard shard = buffer->shard();
  Loop().AddShard(action.uri, std::move(buffer),
                  [report = report_, id = action.id, shard](const absl::Status& status) {
                    if (status.ok()) return report(core::ShareStored{id, shard});
                    if (absl::IsCancelled(status)) return;
                    report(core::StoreFailed{id, std::string(status.message())});
                  });
}

void CheckpointWork::On(const core::StoreManifest& action) {
  blob::Manifest manifest;
  manifest.info.cluster = facts_.cluster;
  manifest.info.job = facts_.job;
  manifest.info.generation = action.generation;
  manifest.info.step = action.step;
  manifest.info.position = action.position;
  const bool files = samples_per_epoch_ == 0;
  manifest.info.epoch = files ? 0 : action.position / samples_per_epoch_;
  manifest.info.world_size = action.world_size;
  manifest.info.spec_digest = facts_.spec_digest;
  if (files) {
    manifest.info.state["content"] = "files";
  } else {
    // Every random number is a function of the seed and the position: that is all the random state.
    manifest.info.state["seed"] = std::to_string(facts_.seed);
    manifest.info.state["samples"] = std::to_string(samples_per_epoch_);  // the order depends on it
  }
  const Measured& measured = measured_[action.step];
  if (measured.noise.count > 0) {
    manifest.info.state["gradient_noise"] = NoiseText(measured.noise);
  }
  if (measured.evaluations.step > 0) {
    manifest.info.state["evaluations"] = EvaluationsText(measured.evaluations);
  }
  if (measured.most_at_once > 0) {
    manifest.info.state["most_at_once"] = std::to_string(measured.most_at_once);
    manifest.info.state["memory_kills"] = std::to_string(measured.memory_kills);
  }
  measured_.erase(measured_.begin(), measured_.find(action.step));
  if (!preprocessing_.empty()) manifest.info.state[kPreprocessingState] = preprocessing_;
  manifest.info.state["trainer_version"] = base::kVersion;
  manifest.tensors = tensors_;
  manifest.shards = action.shards;
  core::ManifestStored stored{action.id, "", 0, static_cast<uint32_t>(action.shards.size())};
  for (const protocol::Shard& shard : action.shards) stored.bytes += shard.bytes;
  Loop().AddManifest(
      action.uri, std::move(manifest),
      [report = report_, stored](absl::StatusOr<std::string> hash) mutable {
        if (absl::IsCancelled(hash.status())) return;
        if (!hash.ok()) {
          return report(core::StoreFailed{stored.id, std::string(hash.status().message())});
        }
        stored.hash = *std::move(hash);
        report(stored);
      });
}

void CheckpointWork::On(const core::StoreCommitted& action) {
  Loop().AddCommitted(action.uri, action.manifest_hash,
                      [report = report_, id = action.id](const absl::Status& status) {
                        if (status.ok()) return report(core::CommittedStored{id});
                        if (absl::IsCancelled(status)) return;
                        report(core::StoreFailed{id, std::string(status.message())});
                      });
}

void CheckpointWork::On(const core::DropSave& action) {
  snapshots_.erase(action.step);
  measured_.erase(action.step);
  if (loop_ != nullptr && !action.uri.empty()) loop_->Cancel(action.uri);
}

}  // namespace coxswain::trainer
