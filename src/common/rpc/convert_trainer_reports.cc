#include "common/rpc/convert_parts.h"

namespace coxswain::rpc {
namespace {

struct ReportWriter {
  wire::TrainerReport* out;

  void operator()(const protocol::TrainerReady& in) const { ToProto(in, out->mutable_ready()); }
  void operator()(const protocol::GenerationFormed& in) const {
    wire::GenerationFormed* to = out->mutable_generation_formed();
    to->set_generation(in.generation.value);
    for (const protocol::GenerationFormed::Refused& refused : in.refused) {
      wire::GenerationFormed::Refused* r = to->add_refused();
      r->set_uri(Utf8(refused.uri));
      r->set_reason(Utf8(refused.reason));
      r->set_corrupt(refused.corrupt);
    }
    to->set_restored_uri(Utf8(in.restored_uri));
    to->set_restored(in.restored.value);
    to->set_step(in.step);
    to->set_position(in.position);
  }
  void operator()(const protocol::TrainerProgress& in) const {
    wire::TrainerProgress* to = out->mutable_progress();
    to->set_generation(in.generation.value);
    to->set_step(in.step);
    to->set_phase(static_cast<uint32_t>(in.phase));
    to->set_epoch(in.epoch);
    to->set_epochs(in.epochs);
    to->set_total_steps(in.total_steps);
    to->set_position(in.position);
    to->set_loss(in.loss);
    to->set_samples_per_second(in.samples_per_second);
    to->set_remaining_ms(in.remaining_ms);
    to->set_has_eval(in.has_eval);
    to->set_eval_loss(in.eval_loss);
    to->set_eval_accuracy(in.eval_accuracy);
    to->set_waiting_for(Utf8(in.waiting_for));
    to->set_global_batch(in.global_batch);
    to->set_gradient_noise(in.gradient_noise);
    to->set_at_once(in.at_once);
  }
  void operator()(const protocol::OpenCheckpoint& in) const {
    wire::OpenCheckpoint* to = out->mutable_open_checkpoint();
    to->set_generation(in.generation.value);
    to->set_step(in.step);
    to->set_position(in.position);
    to->set_final(in.final);
    to->set_best(in.best);
    to->set_metric(in.metric);
  }
  void operator()(const protocol::ShardStored& in) const {
    wire::ShardStored* to = out->mutable_shard_stored();
    to->set_id(in.id.value);
    to->set_generation(in.generation.value);
    ToProto(in.shard, to->mutable_shard());
  }
  void operator()(const protocol::ManifestWritten& in) const {
    wire::ManifestWritten* to = out->mutable_manifest_written();
    to->set_id(in.id.value);
    to->set_generation(in.generation.value);
    to->set_manifest_hash(Utf8(in.manifest_hash));
    to->set_bytes(in.bytes);
    to->set_shards(in.shards);
  }
  void operator()(const protocol::CheckpointFailed& in) const {
    wire::CheckpointFailed* to = out->mutable_checkpoint_failed();
    to->set_id(in.id.value);
    to->set_step(in.step);
    to->set_generation(in.generation.value);
    to->set_reason(Utf8(in.reason));
  }
  void operator()(const protocol::CollectiveFailed& in) const {
    wire::CollectiveFailed* to = out->mutable_collective_failed();
    to->set_generation(in.generation.value);
    to->set_step(in.step);
    to->set_reason(Utf8(in.reason));
  }
  void operator()(const protocol::TrainingFinished& in) const {
    wire::TrainingFinished* to = out->mutable_training_finished();
    to->set_generation(in.generation.value);
    to->set_step(in.step);
    to->set_position(in.position);
    to->set_model_uri(Utf8(in.model_uri));
    to->set_stopped(in.stopped);
    to->set_reason(Utf8(in.reason));
  }
  void operator()(const protocol::TrainingFailed& in) const {
    out->mutable_training_failed()->set_reason(Utf8(in.reason));
    out->mutable_training_failed()->set_user_error(in.user_error);
    out->mutable_training_failed()->set_kind(static_cast<uint32_t>(in.kind));
  }
};

}  // namespace

static absl::Status FromProto(const wire::GenerationFormed& in, protocol::GenerationFormed* out) {
  out->generation = base::Generation(in.generation());
  for (const wire::GenerationFormed::Refused& refused : in.refused()) {
    out->refused.push_back(
        {.uri = refused.uri(), .reason = refused.reason(), .corrupt = refused.corrupt()});
  }
  out->restored_uri = in.restored_uri();
  out->restored = base::CheckpointId(in.restored());
  out->step = in.step();
  out->position = in.position();
  return absl::OkStatus();
}

static absl::Status FromProto(const wire::TrainerProgress& in, protocol::TrainerProgress* out) {
  COX_RETURN_IF_ERROR(
      ReadEnum("TrainerProgress", "phase", in.phase(), protocol::Phase::kProgram, &out->phase));
  out->generation = base::Generation(in.generation());
  out->step = in.step();
  out->epoch = in.epoch();
  out->epochs = in.epochs();
  out->total_steps = in.total_steps();
  out->position = in.position();
  out->loss = in.loss();
  out->samples_per_second = in.samples_per_second();
  out->remaining_ms = in.remaining_ms();
  out->has_eval = in.has_eval();
  out->eval_loss = in.eval_loss();
  out->eval_accuracy = in.eval_accuracy();
  out->waiting_for = in.waiting_for();
  out->global_batch = in.global_batch();
  out->gradient_noise = in.gradient_noise();
  out->at_once = in.at_once();
  return absl::OkStatus();
}

static absl::Status FromProto(const wire::OpenCheckpoint& in, protocol::OpenCheckpoint* out) {
  out->generation = base::Generation(in.generation());
  out->step = in.step();
  out->position = in.position();
  out->final = in.final();
  out->best = in.best();
  out->metric = in.metric();
  return absl::OkStatus();
}

static absl::Status FromProto(const wire::ShardStored& in, protocol::ShardStored* out) {
  if (in.id() == 0) return OutOfRange("ShardStored", "id", 0, 1, UINT64_MAX);
  out->id = base::CheckpointId(in.id());
  out->generation = base::Generation(in.generation());
  return ReadPart("ShardStored", "shard", in.has_shard(), in.shard(), &out->shard);
}

static absl::Status FromProto(const wire::ManifestWritten& in, protocol::ManifestWritten* out) {
  if (in.id() == 0) return OutOfRange("ManifestWritten", "id", 0, 1, UINT64_MAX);
  out->id = base::CheckpointId(in.id());
  out->generation = base::Generation(in.generation());
  out->manifest_hash = in.manifest_hash();
  out->bytes = in.bytes();
  out->shards = in.shards();
  return absl::OkStatus();
}

static absl::Status FromProto(const wire::CheckpointFailed& in, protocol::CheckpointFailed* out) {
  out->id = base::CheckpointId(in.id());
  out->step = in.step();
  out->generation = base::Generation(in.generation());
  out->reason = in.reason();
  return absl::OkStatus();
}

static absl::Status FromProto(const wire::CollectiveFailed& in, protocol::CollectiveFailed* out) {
  out->generation = base::Generation(in.generation());
  out->step = in.step();
  out->reason = in.reason();
  return absl::OkStatus();
}

static absl::Status FromProto(const wire::TrainingFinished& in, protocol::TrainingFinished* out) {
  out->generation = base::Generation(in.generation());
  out->step = in.step();
  out->position = in.position();
  out->model_uri = in.model_uri();
  out->stopped = in.stopped();
  out->reason = in.reason();
  return absl::OkStatus();
}

static absl::Status FromProto(const wire::TrainingFailed& in, protocol::TrainingFailed* out) {
  out->reason = in.reason();
  out->user_error = in.user_error();
  return ReadEnum("TrainingFailed", "kind", in.kind(), protocol::FailureKind::kDevice, &out->kind);
}

// Reads `in` as alternative T of `out`.
template <class T, class Part>
static absl::Status Read(const Part& in, protocol::TrainerReport* out) {
  return FromProto(in, &out->emplace<T>());
}

void ToProto(const protocol::TrainerReport& in, wire::TrainerReport* out) {
  std::visit(ReportWriter{out}, in);
}

absl::Status FromProto(const wire::TrainerReport& in, protocol::TrainerReport* out) {
  switch (in.body_case()) {
    case wire::TrainerReport::kReady:
      return Read<protocol::TrainerReady>(in.ready(), out);
    case wire::TrainerReport::kGenerationFormed:
      return Read<protocol::GenerationFormed>(in.generation_formed(), out);
    case wire::TrainerReport::kProgress:
      return Read<protocol::TrainerProgress>(in.progress(), out);
    case wire::TrainerReport::kOpenCheckpoint:
      return Read<protocol::OpenCheckpoint>(in.open_checkpoint(), out);
    case wire::TrainerReport::kShardStored:
      return Read<protocol::ShardStored>(in.shard_stored(), out);
    case wire::TrainerReport::kManifestWritten:
      return Read<protocol::ManifestWritten>(in.manifest_written(), out);
    case wire::TrainerReport::kCheckpointFailed:
      return Read<protocol::CheckpointFailed>(in.checkpoint_failed(), out);
    case wire::TrainerReport::kCollectiveFailed:
      return Read<protocol::CollectiveFailed>(in.collective_failed(), out);
    case wire::TrainerReport::kTrainingFinished:
      return Read<protocol::TrainingFinished>(in.training_finished(), out);
    case wire::TrainerReport::kTrainingFailed:
      return Read<protocol::TrainingFailed>(in.training_failed(), out);
    case wire::TrainerReport::BODY_NOT_SET:
      return EmptyBody("TrainerReport");
  }
  return EmptyBody("TrainerReport");
}

}  // namespace coxswain::rpc
