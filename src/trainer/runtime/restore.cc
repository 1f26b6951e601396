#include "trainer/runtime/restore.h"

#include <utility>

#include "common/log/log.h"
#include "trainer/blob/checkpoint_io.h"

namespace coxswain::trainer {
namespace {

constexpr blob::RetryPolicy kRestorePolicy{base::milliseconds(200), base::seconds(2),
                                           base::seconds(60)};

}  // namespace

absl::StatusOr<std::unique_ptr<engine::SavedState>> Restorer::Run(
    const protocol::FormGeneration& form, RestoreReport* report) {
  bool named = false;
  std::string last;
  for (const protocol::RestoreCandidate& candidate : form.restore) {
    auto state = Read(candidate, form.allow_uncommitted);
    if (state.ok()) {
      report->uri = candidate.uri;
      report->id = candidate.id;
      return state;
    }
    const absl::Status& status = state.status();
    bool corrupt = blob::IsCorrupt(status);
    bool unfit = corrupt || absl::IsFailedPrecondition(status) || absl::IsNotFound(status);
    last = std::string(status.message());
    named = named || !candidate.id;
    if (!unfit) {
      return absl::Status(status.code(), "checkpoint " + candidate.uri + ": " + last);
    }
    log::Warn("checkpoint " + candidate.uri + " is not used: " + last);
    report->refused.push_back({candidate.uri, last, corrupt || absl::IsNotFound(status)});
  }
  if (named) {
    return absl::InvalidArgumentError("the checkpoint to resume from cannot be used: " + last);
  }
  return std::unique_ptr<engine::SavedState>();
}

absl::StatusOr<std::unique_ptr<engine::SavedState>> Restorer::Read(
    const protocol::RestoreCandidate& candidate, bool allow_uncommitted) {
  auto patience = std::make_shared<blob::Patience>(kRestorePolicy, "checkpoint " + candidate.uri);
  {
    std::lock_guard lock(mutex_);
    patience_ = patience;
  }
  blob::StoreSettings settings = settings_;
  settings.patience = patience;
  blob::ReadOptions options{candidate.manifest_hash, allow_uncommitted};
  absl::StatusOr<blob::RestoredState> read;
  absl::Status done = patience->Run([&] {
    read = blob::ReadCheckpoint(candidate.uri, settings, options);
    return read.status();
  });
  if (!done.ok()) return done;
  auto restored = std::make_shared<blob::RestoredState>(*std::move(read));
  auto state = std::make_unique<engine::SavedState>();
  state->step = restored->info.step;
  state->position = restored->info.position;
  state->tensors = restored->tensors;
  state->bytes = [restored](size_t i) { return restored->data[i].get(); };
  return state;
}

std::string Restorer::waiting_for() const {
  std::lock_guard lock(mutex_);
  return patience_ == nullptr ? "" : patience_->waiting_for();
}

}  // namespace coxswain::trainer
