#include "trainer/runtime/restore.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "common/log/log.h"
#include "trainer/blob/checkpoint_io.h"
#include "trainer/runtime/evaluation_text.h"
#include "trainer/runtime/noise_text.h"

namespace coxswain::trainer {
namespace {

constexpr blob::RetryPolicy kRestorePolicy{base::milliseconds(200), base::seconds(2),
                                           base::seconds(60)};

// None of `count` checkpoints that a user asked for can be used; `newest` says why of the first.
absl::Status NoneToResumeFrom(const std::string& newest, size_t count, bool damaged) {
  std::string what = count == 1 ? "the checkpoint to resume from "
                                : "none of the " + std::to_string(count) +
                                      " checkpoints to resume from can be used; the newest ";
  std::string text =
      what + (damaged ? "is damaged: " : "cannot be used: ") + newest +
      "; give another one to --resume-from (`cox checkpoints JOB` lists a job's), or "
      "none";
  return damaged ? absl::DataLossError(text) : absl::InvalidArgumentError(text);
}

}  // namespace

absl::StatusOr<std::shared_ptr<blob::RestoredState>> Restorer::Run(
    const protocol::FormGeneration& form, RestoreReport* report) {
  bool damaged = false;
  size_t named = 0;
  std::string newest_named;
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
    std::string why(status.message());
    if (!unfit) {
      return absl::Status(status.code(), "checkpoint " + candidate.uri + ": " + why);
    }
    if (!candidate.id) {
      if (named == 0) newest_named = why, damaged = absl::IsDataLoss(status);
      ++named;
    }
    log::Warn("checkpoint " + candidate.uri + " is not used: " + why);
    report->refused.push_back({candidate.uri, why, corrupt});
  }
  if (named > 0) return NoneToResumeFrom(newest_named, named, damaged);
  return std::shared_ptr<blob::RestoredState>();
}

absl::StatusOr<std::shared_ptr<blob::RestoredState>> Restorer::Read(
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
  return std::make_shared<blob::RestoredState>(*std::move(read));
}

std::unique_ptr<engine::SavedState> StateForEngine(std::shared_ptr<blob::RestoredState> restored) {
  if (restored == nullptr) return nullptr;
  auto state = std::make_unique<engine::SavedState>();
  state->step = restored->info.step;
  state->position = restored->info.position;
  state->tensors = restored->tensors;
  auto noise = restored->info.state.find("gradient_noise");
  if (noise != restored->info.state.end()) state->noise = ParseNoise(noise->second);
  auto evaluations = restored->info.state.find("evaluations");
  if (evaluations != restored->info.state.end()) {
    state->evaluations = ParseEvaluations(evaluations->second);
  }
  auto most = restored->info.state.find("most_at_once");
  if (most != restored->info.state.end()) {
    state->most_at_once = std::max(0LL, std::strtoll(most->second.c_str(), nullptr, 10));
  }
  auto kills = restored->info.state.find("memory_kills");
  if (kills != restored->info.state.end()) {
    state->memory_kills = static_cast<uint32_t>(std::strtoul(kills->second.c_str(), nullptr, 10));
  }
  state->bytes = [restored = std::move(restored)](size_t i) { return restored->data[i].get(); };
  return state;
}

std::string Restorer::waiting_for() const {
  std::lock_guard lock(mutex_);
  return patience_ == nullptr ? "" : patience_->waiting_for();
}

}  // namespace coxswain::trainer
