// How the ranks of a new group come to one state. Of a sharded optimizer: sharded_join.cc.
#include <ATen/ATen.h>

#include "trainer/engine/training/training_engine.h"

namespace coxswain::trainer::engine {

absl::Status TrainingEngine::CheckSameFile(const at::Tensor& hashes) {
  const at::Tensor others = hashes.ne(hashes[0]);
  if (!others.any().item<bool>()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "spec.model: the file of the model is not the same everywhere: rank " +
      std::to_string(others.to(at::kLong).argmax().item<int64_t>()) +
      " has another one than rank 0; every machine of the job needs the same");
}

absl::Status TrainingEngine::AgreeOnState(const Restore& restore) {
  if (Sharded()) return AgreeOnShards(restore);
  // Who has the most advanced state? Of each rank 1 + its step, 0: fresh; then the hash of its
  // model's file.
  auto size = static_cast<int64_t>(group_->size());
  at::Tensor census = at::zeros({2 * size}, at::kLong);
  if (has_state_) census[group_->rank()] = 1 + step_;
  census[size + group_->rank()] = model_hash_;
  group_->AllReduce(census)->Wait();
  at::Tensor steps = census.slice(0, 0, size);
  if (absl::Status same = CheckSameFile(census.slice(0, size)); !same.ok()) return same;
  auto root = static_cast<uint32_t>(steps.argmax().item<int64_t>());
  bool survivor = steps.max().item<int64_t>() > 0;

  absl::Status restored;
  if (!survivor && group_->rank() == 0) {
    auto saved = restore();
    restored = saved.status();
    if (restored.ok() && *saved != nullptr) restored = TakeOver(**saved);
  }
  // [0: go on, 1: restore failed; whether there is a state; step; position]
  at::Tensor header = at::zeros({4}, at::kLong);
  if (group_->rank() == root) {
    header[0] = restored.ok() ? 0 : 1;
    header[1] = has_state_ ? 1 : 0;
    header[2] = step_;
    header[3] = position_;
  }
  group_->Broadcast(header, root);
  if (header[0].item<int64_t>() != 0) {
    return restored.ok() ? absl::UnavailableError("rank 0 could not restore a checkpoint")
                         : restored;
  }
  bool equal = header[1].item<int64_t>() == 0 ||
               (steps == steps.max()).all().item<bool>();  // fresh everywhere, or all as advanced
  has_state_ = header[1].item<int64_t>() != 0;
  step_ = header[2].item<int64_t>();
  position_ = header[3].item<int64_t>();
  AgreeOnNoise(root);
  AgreeOnEvaluations(root);
  AgreeOnMemory(root);
  if (equal && survivor) return absl::OkStatus();
  if (!has_state_) return absl::OkStatus();  // the same seed gave the same model
  for (const Held& each : state_) group_->Broadcast(each.tensor, root);
  return absl::OkStatus();
}

// The learning rate depends on it: it must be the same everywhere.
void TrainingEngine::AgreeOnNoise(uint32_t root) {
  meter_.Forget();
  if (!HasBatchRange()) return;
  const NoiseAverages& own = meter_.noise().averages();
  at::Tensor averages = at::zeros({3}, at::kDouble);
  averages[0] = own.signal;
  averages[1] = own.noise;
  averages[2] = static_cast<double>(own.count);
  group_->Broadcast(averages, root);
  const double* agreed = averages.const_data_ptr<double>();
  meter_.noise().Set({agreed[0], agreed[1], static_cast<int64_t>(agreed[2])});
}

// All ranks are to stop at the same step.
void TrainingEngine::AgreeOnEvaluations(uint32_t root) {
  if (!stopping_.wanted()) return;
  const EvaluationRecord& own = stopping_.record();
  at::Tensor record = at::tensor({static_cast<double>(own.step), static_cast<double>(own.best_step),
                                  own.best, static_cast<double>(own.no_better)},
                                 at::kDouble);
  group_->Broadcast(record, root);
  const double* agreed = record.const_data_ptr<double>();
  stopping_.Set({static_cast<int64_t>(agreed[0]), static_cast<int64_t>(agreed[1]), agreed[2],
                 static_cast<int64_t>(agreed[3])});
}

absl::StatusOr<std::vector<const char*>> TrainingEngine::Match(const SavedState& saved) const {
  std::vector<const char*> bytes;
  for (size_t i = 0; i < state_.size(); ++i) {
    const blob::TensorInfo& wanted = state_info_[i];
    size_t found = 0;
    while (found < saved.tensors.size() && saved.tensors[found].name != wanted.name) ++found;
    if (found == saved.tensors.size() && saved.model_only && i >= model_tensors_) {
      bytes.push_back(nullptr);
      continue;
    }
    if (found == saved.tensors.size()) {
      return absl::InvalidArgumentError("the checkpoint has no tensor '" + wanted.name +
                                        "': it is of another model or optimizer");
    }
    if (saved.tensors[found] != wanted) {
      return absl::InvalidArgumentError("the checkpoint's tensor '" + wanted.name +
                                        "' has another shape or precision than spec.model gives");
    }
    bytes.push_back(saved.bytes(found));
  }
  return bytes;
}

absl::Status TrainingEngine::TakeOver(const SavedState& saved) {
  absl::StatusOr<std::vector<const char*>> bytes = Match(saved);
  if (!bytes.ok()) return bytes.status();
  for (size_t i = 0; i < state_.size(); ++i) {
    if (IsPart(i)) continue;
    if ((*bytes)[i] == nullptr) {
      state_[i].tensor.zero_();
    } else {
      TakeBytes(state_[i].tensor, (*bytes)[i]);
    }
  }
  if (saved.model_only && average_ != nullptr) average_->Restart();
  step_ = saved.step;
  position_ = saved.position;
  meter_.noise().Set(saved.noise);
  stopping_.Set(saved.evaluations);
  most_at_once_ = saved.most_at_once;
  memory_kills_ = saved.memory_kills;
  has_state_ = true;
  return absl::OkStatus();
}

}  // namespace coxswain::trainer::engine
