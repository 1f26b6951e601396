#include "trainer/runtime/engine_loop.h"

#include <cstdio>
#include <limits>
#include <utility>
#include "trainer/runtime/evaluation_text.h"

#include "common/base/clock.h"
#include "common/log/log.h"
#include "trainer/runtime/listen_socket.h"
#include "trainer/runtime/model_export.h"
#include "trainer/runtime/table_data.h"

namespace coxswain::trainer {
namespace {

core::Event Failed(const absl::Status& status) {
  return FailureOf(status, protocol::FailureKind::kSettings);
}

// A model is worth nothing to data that is prepared in another way.
absl::Status CheckPreprocessing(const blob::RestoredState& state, const std::string& uri,
                                const std::string& own) {
  auto saved = state.info.state.find(kPreprocessingState);
  const std::string why =
      WhyOtherPreprocessing(saved == state.info.state.end() ? "" : saved->second, own);
  if (why.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "the checkpoint " + uri + " cannot be gone on with: " + why +
      "; to train on with the preprocessing of the job that saved it, set spec.data.preprocessing "
      "to the config.json of its model, or to the preprocessing.json in the job's folder");
}

}  // namespace

core::EngineFailed FailureOf(const absl::Status& status, protocol::FailureKind unfit) {
  using protocol::FailureKind;
  std::string reason(status.message());
  switch (status.code()) {
    case absl::StatusCode::kFailedPrecondition:  // the engine's word for data
      return {reason, protocol::kExitUserError, FailureKind::kData};
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return {reason, protocol::kExitUserError, unfit};
    case absl::StatusCode::kResourceExhausted:
      return {reason, protocol::kExitOutOfMemory, FailureKind::kOutOfMemory};
    case absl::StatusCode::kUnimplemented:  // what this machine lacks, another may have
      return {reason, protocol::kExitInfrastructure, FailureKind::kNotStarted};
    case absl::StatusCode::kCancelled:  // the engine's word for a GPU that is lost
      return {reason, protocol::kExitInfrastructure, FailureKind::kDevice};
    case absl::StatusCode::kInternal:
      return {reason, protocol::kExitInternal, FailureKind::kBug};
    default:  // unreachable, too slow, damaged
      return {reason, protocol::kExitInfrastructure, FailureKind::kStore};
  }
}

core::Event EngineLoop::Execute(const core::EngineCommand& command) {
  return std::visit([this](const auto& body) { return Run(body); }, command);
}

core::Event EngineLoop::Run(const core::JoinGroup& command) {
  const protocol::FormGeneration& form = command.form;
  engine::GroupSettings group;
  group.generation = form.generation;
  group.rank = command.rank;
  group.world_size = static_cast<uint32_t>(form.members.size());
  group.store_fd = doors_.store_fd;
  group.global_batch = form.global_batch;
  group.memory_kills = form.memory_kills;
  const std::string& host = form.members.front().address;
  if (!SplitAddress(host, &group.store_host, &group.store_port)) {
    return Failed(absl::InternalError("rank 0's address '" + host + "' is not HOST:PORT"));
  }
  RestoreReport report;
  absl::Status restored;
  auto joined = doors_.engine->Join(group, [&] {
    auto state = doors_.restorer->Run(form, &report);
    restored = state.status();
    if (restored.ok() && *state != nullptr) {
      restored = CheckPreprocessing(**state, report.uri, doors_.preprocessing);
    }
    using Saved = absl::StatusOr<std::unique_ptr<engine::SavedState>>;
    if (restored.ok() && *state == nullptr && doors_.begin_from) {
      Saved first = doors_.begin_from();
      restored = first.status();
      return first;
    }
    if (!restored.ok()) return Saved(restored);
    std::unique_ptr<engine::SavedState> saved = StateForEngine(*std::move(state));
    // Of another job, which may have judged by something else: this one counts anew.
    if (saved != nullptr && !report.id) {
      saved->evaluations = {};
      saved->memory_kills = 0;
    }
    return Saved(std::move(saved));
  });
  if (!restored.ok()) return Failed(restored);
  if (absl::IsUnavailable(joined.status())) {
    return core::CollectiveFailed{std::string(joined.status().message())};
  }
  if (!joined.ok()) return Failed(joined.status());
  rank_ = command.rank;
  generation_ = form.generation;
  samples_per_epoch_ = joined->plan.samples;
  if (joined->step < step_) {
    log::Warn(
        "a rank is gone, and with it its part of the optimizer's state (spec.train.optimizer."
        "sharded): back from step " +
        std::to_string(step_) + " to step " + std::to_string(joined->step));
  }
  step_ = joined->step;
  log::Info("generation " + std::to_string(generation_.value) + " formed: rank " +
            std::to_string(rank_) + " of " + std::to_string(group.world_size) + ", at step " +
            std::to_string(step_) + ", batches of " + std::to_string(joined->plan.batch) +
            (report.uri.empty() ? "" : " from " + report.uri));
  if (joined->most_at_once != std::exchange(most_at_once_, joined->most_at_once)) {
    log::Warn("memory has run out before: at most " + std::to_string(most_at_once_) +
              " samples go through the model at a time; the gradients are still those of the whole "
              "batch");
  }
  return core::GroupFormed{generation_,    joined->step, joined->position, joined->plan,
                           report.refused, report.uri,   report.id,        joined->most_at_once};
}

core::Event EngineLoop::Run(const core::RunStep& command) {
  auto result = doors_.engine->Step(
      {command.save, command.save_wanted, command.stop, command.stop_with_save});
  if (absl::IsUnavailable(result.status())) {
    return core::CollectiveFailed{std::string(result.status().message())};
  }
  if (!result.ok()) return Failed(result.status());
  if (!result->notice.empty()) log::Info(result->notice);
  if (!result->not_finite_at.empty()) {
    return core::NotFinite{result->step, result->not_finite.empty() ? "gradient norm" : "loss",
                           result->not_finite, result->not_finite_at};
  }
  step_ = result->step;
  if (result->most_at_once != std::exchange(most_at_once_, result->most_at_once)) {
    log::Warn("memory has run out: from step " + std::to_string(step_) + " on at most " +
              std::to_string(most_at_once_) +
              " samples go through the model at a time; the gradients are still those of the whole "
              "batch");
  }
  doors_.metrics->AddStep(*result, rank_, generation_);
  core::StepFinished finished;
  finished.step = result->step;
  finished.position = result->position;
  finished.samples = result->samples;
  finished.loss = result->loss;
  finished.noise = result->gradient_noise;
  finished.at_once = result->most_at_once;
  finished.took = result->total;
  finished.save = result->agreed.save;
  finished.save_wanted = result->agreed.save_wanted;
  finished.stop = result->agreed.stop;
  finished.stop_with_save = result->agreed.stop_with_save;
  return finished;
}

core::Event EngineLoop::Run(const core::TakeSnapshot& command) {
  const base::Time begun = base::MonotonicNow();
  if (absl::Status fetched = doors_.engine->FetchState(false); !fetched.ok()) {
    return Failed(fetched);
  }
  const std::string not_finite =
      doors_.checkpoints->Snapshot(*doors_.engine, command.step, samples_per_epoch_, rank_);
  doors_.metrics->AddSnapshot(base::MonotonicNow() - begun);
  if (!not_finite.empty()) return core::NotFinite{command.step, "state", {}, not_finite};
  return core::SnapshotTaken{command.step};
}

core::Event EngineLoop::Run(const core::Evaluate& command) {
  auto result = doors_.engine->Evaluate({command.has_best, command.best, command.held_step});
  if (absl::IsUnavailable(result.status())) {
    return core::CollectiveFailed{std::string(result.status().message())};
  }
  if (!result.ok()) return Failed(result.status());
  if (result->at_once > 0) {
    log::Warn("memory has run out in an evaluation: from here on at most " +
              std::to_string(result->at_once) +
              " samples at a time are evaluated; the result is the same");
  }
  doors_.metrics->AddEvaluation(*result, step_, rank_, generation_);
  if (rank_ == 0) {
    log::Info("step " + std::to_string(step_) + ": evaluation " + EvaluationText(*result));
  }
  return core::Evaluated{
      result->loss,        result->accuracy,         result->metric, result->agreed.has_best,
      result->agreed.best, result->agreed.held_step, result->stop};
}

core::Event EngineLoop::Run(const core::ExportModel& command) {
  if (absl::Status fetched = doors_.engine->FetchState(true); !fetched.ok()) {
    return Failed(fetched);
  }
  ExportPlace place = {doors_.store, doors_.model_folder, doors_.tokenizer_json,
                       doors_.store_settings};
  place.settings.patience =
      std::make_shared<blob::Patience>(blob::kSavePolicy, "store " + doors_.store);
  auto uri = command.best ? ExportBest(*doors_.engine, *command.best, place)
                          : ExportModel(*doors_.engine, step_, place);
  if (!uri.ok()) {
    return core::EngineFailed{
        "the model could not be exported: " + std::string(uri.status().message()),
        protocol::kExitInfrastructure, protocol::FailureKind::kStore};
  }
  log::Info("model exported to " + *uri +
            (command.best ? ", that of the best checkpoint, " + command.best->uri : ""));
  return core::ModelExported{*uri};
}

}  // namespace coxswain::trainer
