#include "common/rpc/convert_parts.h"

namespace coxswain::rpc {
namespace {

struct OrderWriter {
  wire::TrainerOrder* out;

  void operator()(const protocol::FormGeneration& in) const {
    wire::FormGeneration* to = out->mutable_form_generation();
    to->set_generation(in.generation.value);
    for (const protocol::Member& member : in.members) {
      wire::Member* m = to->add_members();
      m->set_rank(member.rank);
      m->set_incarnation(member.incarnation.value);
      m->set_address(Utf8(member.address));
    }
    auto fill = [](const protocol::RestoreCandidate& candidate, wire::RestoreCandidate* c) {
      c->set_id(candidate.id.value);
      c->set_uri(Utf8(candidate.uri));
      c->set_manifest_hash(Utf8(candidate.manifest_hash));
    };
    for (const protocol::RestoreCandidate& candidate : in.restore) {
      fill(candidate, to->add_restore());
    }
    to->set_allow_uncommitted(in.allow_uncommitted);
    to->set_global_batch(in.global_batch);
    to->set_memory_kills(in.memory_kills);
    if (!in.has_best) return;
    fill(in.best, to->mutable_best());
    to->set_best_metric(in.best_metric);
  }
  void operator()(const protocol::CheckpointOpened& in) const {
    wire::CheckpointOpened* to = out->mutable_checkpoint_opened();
    to->set_id(in.id.value);
    to->set_step(in.step);
    to->set_generation(in.generation.value);
    to->set_uri(Utf8(in.uri));
  }
  void operator()(const protocol::WriteManifest& in) const {
    wire::WriteManifest* to = out->mutable_write_manifest();
    to->set_id(in.id.value);
    for (const protocol::Shard& shard : in.shards) ToProto(shard, to->add_shards());
  }
  void operator()(const protocol::CheckpointCommitted& in) const {
    wire::CheckpointCommitted* to = out->mutable_checkpoint_committed();
    to->set_id(in.id.value);
    to->set_manifest_hash(Utf8(in.manifest_hash));
  }
  void operator()(const protocol::CheckpointRefused& in) const {
    wire::CheckpointRefused* to = out->mutable_checkpoint_refused();
    to->set_id(in.id.value);
    to->set_step(in.step);
    to->set_generation(in.generation.value);
    to->set_reason(Utf8(in.reason));
  }
  void operator()(const protocol::SaveNow& in) const {
    out->mutable_save_now()->set_reason(Utf8(in.reason));
  }
  void operator()(const protocol::StopTraining& in) const {
    out->mutable_stop_training()->set_save(in.save);
    out->mutable_stop_training()->set_reason(Utf8(in.reason));
  }
  void operator()(const protocol::FinishAcknowledged&) const { out->mutable_finish_acknowledged(); }
};

}  // namespace

static absl::Status FromProto(const wire::RestoreCandidate& in, protocol::RestoreCandidate* out) {
  if (in.uri().empty()) return Missing("RestoreCandidate", "uri");
  *out = {.id = base::CheckpointId(in.id()), .uri = in.uri(), .manifest_hash = in.manifest_hash()};
  return absl::OkStatus();
}

static absl::Status FromProto(const wire::FormGeneration& in, protocol::FormGeneration* out) {
  if (in.generation() == 0) return OutOfRange("FormGeneration", "generation", 0, 1, UINT64_MAX);
  if (in.members().empty()) return Missing("FormGeneration", "members");
  out->generation = base::Generation(in.generation());
  for (const wire::Member& member : in.members()) {
    if (member.incarnation() == 0) return OutOfRange("Member", "incarnation", 0, 1, UINT64_MAX);
    out->members.push_back({.rank = member.rank(),
                            .incarnation = base::Incarnation(member.incarnation()),
                            .address = member.address()});
  }
  for (const wire::RestoreCandidate& candidate : in.restore()) {
    COX_RETURN_IF_ERROR(FromProto(candidate, &out->restore.emplace_back()));
  }
  out->allow_uncommitted = in.allow_uncommitted();
  if (in.global_batch() < 0) {
    return OutOfRange("FormGeneration", "global_batch", static_cast<uint64_t>(in.global_batch()), 0,
                      INT64_MAX);
  }
  out->global_batch = in.global_batch();
  out->memory_kills = in.memory_kills();
  out->has_best = in.has_best();
  out->best_metric = in.best_metric();
  if (in.has_best()) return FromProto(in.best(), &out->best);
  return absl::OkStatus();
}

static absl::Status FromProto(const wire::CheckpointOpened& in, protocol::CheckpointOpened* out) {
  if (in.id() == 0) return OutOfRange("CheckpointOpened", "id", 0, 1, UINT64_MAX);
  if (in.uri().empty()) return Missing("CheckpointOpened", "uri");
  out->id = base::CheckpointId(in.id());
  out->step = in.step();
  out->generation = base::Generation(in.generation());
  out->uri = in.uri();
  return absl::OkStatus();
}

static absl::Status FromProto(const wire::WriteManifest& in, protocol::WriteManifest* out) {
  if (in.id() == 0) return OutOfRange("WriteManifest", "id", 0, 1, UINT64_MAX);
  out->id = base::CheckpointId(in.id());
  for (const wire::Shard& shard : in.shards()) {
    COX_RETURN_IF_ERROR(FromProto(shard, &out->shards.emplace_back()));
  }
  return absl::OkStatus();
}

static absl::Status FromProto(const wire::CheckpointCommitted& in,
                              protocol::CheckpointCommitted* out) {
  if (in.id() == 0) return OutOfRange("CheckpointCommitted", "id", 0, 1, UINT64_MAX);
  out->id = base::CheckpointId(in.id());
  out->manifest_hash = in.manifest_hash();
  return absl::OkStatus();
}

static absl::Status FromProto(const wire::CheckpointRefused& in, protocol::CheckpointRefused* out) {
  out->id = base::CheckpointId(in.id());
  out->step = in.step();
  out->generation = base::Generation(in.generation());
  out->reason = in.reason();
  return absl::OkStatus();
}

static absl::Status FromProto(const wire::SaveNow& in, protocol::SaveNow* out) {
  out->reason = in.reason();
  return absl::OkStatus();
}

static absl::Status FromProto(const wire::StopTraining& in, protocol::StopTraining* out) {
  out->save = in.save();
  out->reason = in.reason();
  return absl::OkStatus();
}

// Reads `in` as alternative T of `out`.
template <class T, class Part>
static absl::Status Read(const Part& in, protocol::TrainerOrder* out) {
  return FromProto(in, &out->emplace<T>());
}

void ToProto(const protocol::TrainerOrder& in, wire::TrainerOrder* out) {
  std::visit(OrderWriter{out}, in);
}

absl::Status FromProto(const wire::TrainerOrder& in, protocol::TrainerOrder* out) {
  switch (in.body_case()) {
    case wire::TrainerOrder::kFormGeneration:
      return Read<protocol::FormGeneration>(in.form_generation(), out);
    case wire::TrainerOrder::kCheckpointOpened:
      return Read<protocol::CheckpointOpened>(in.checkpoint_opened(), out);
    case wire::TrainerOrder::kWriteManifest:
      return Read<protocol::WriteManifest>(in.write_manifest(), out);
    case wire::TrainerOrder::kCheckpointCommitted:
      return Read<protocol::CheckpointCommitted>(in.checkpoint_committed(), out);
    case wire::TrainerOrder::kCheckpointRefused:
      return Read<protocol::CheckpointRefused>(in.checkpoint_refused(), out);
    case wire::TrainerOrder::kSaveNow:
      return Read<protocol::SaveNow>(in.save_now(), out);
    case wire::TrainerOrder::kStopTraining:
      return Read<protocol::StopTraining>(in.stop_training(), out);
    case wire::TrainerOrder::kFinishAcknowledged:
      out->emplace<protocol::FinishAcknowledged>();
      return absl::OkStatus();
    case wire::TrainerOrder::BODY_NOT_SET:
      return EmptyBody("TrainerOrder");
  }
  return EmptyBody("TrainerOrder");
}

}  // namespace coxswain::rpc
