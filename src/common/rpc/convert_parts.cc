#include "common/rpc/convert_parts.h"

namespace coxswain::rpc {

absl::Status Missing(std::string_view message, std::string_view field) {
  return absl::InvalidArgumentError(std::string(message) + "." + std::string(field) +
                                    " is missing");
}

absl::Status OutOfRange(std::string_view message, std::string_view field, uint64_t found,
                        uint64_t low, uint64_t high) {
  std::string text = std::string(message) + "." + std::string(field) + " is " +
                     std::to_string(found) + ", expected ";
  text += high == UINT64_MAX ? "at least " + std::to_string(low)
                             : std::to_string(low) + " to " + std::to_string(high);
  return absl::InvalidArgumentError(text);
}

absl::Status EmptyBody(std::string_view message) {
  return absl::InvalidArgumentError(std::string(message) +
                                    ".body is empty or of a kind that this version does not know");
}

void ToProto(const protocol::RankKey& in, wire::RankKey* out) {
  out->set_job(in.job.value);
  out->set_attempt(in.attempt.value);
  out->set_rank(in.rank);
}

absl::Status FromProto(const wire::RankKey& in, protocol::RankKey* out) {
  if (in.job() == 0) return OutOfRange("RankKey", "job", 0, 1, UINT64_MAX);
  if (in.attempt() == 0) return OutOfRange("RankKey", "attempt", 0, 1, UINT64_MAX);
  out->job = base::JobId(in.job());
  out->attempt = base::Attempt(in.attempt());
  out->rank = in.rank();
  return absl::OkStatus();
}

void ToProto(const protocol::MetricPoint& in, wire::MetricPoint* out) {
  out->set_name(Utf8(in.name));
  out->set_rank(in.rank);
  out->set_step(in.step);
  out->set_value(in.value);
  out->set_time_us(in.time.us);
  out->set_generation(in.generation.value);
}

absl::Status FromProto(const wire::MetricPoint& in, protocol::MetricPoint* out) {
  if (in.name().empty()) return Missing("MetricPoint", "name");
  out->name = in.name();
  out->rank = in.rank();
  out->step = in.step();
  out->value = in.value();
  out->time = base::WallTime{in.time_us()};
  out->generation = base::Generation(in.generation());
  return absl::OkStatus();
}

void ToProto(const protocol::TrainerReady& in, wire::TrainerReady* out) {
  out->set_address(Utf8(in.address));
  out->set_generation(in.generation.value);
}

absl::Status FromProto(const wire::TrainerReady& in, protocol::TrainerReady* out) {
  out->address = in.address();
  out->generation = base::Generation(in.generation());
  return absl::OkStatus();
}

void ToProto(const protocol::Shard& in, wire::Shard* out) {
  out->set_rank(in.rank);
  out->set_object(Utf8(in.object));
  out->set_bytes(in.bytes);
  out->set_hash(Utf8(in.hash));
}

absl::Status FromProto(const wire::Shard& in, protocol::Shard* out) {
  out->rank = in.rank();
  out->object = in.object();
  out->bytes = in.bytes();
  out->hash = in.hash();
  return absl::OkStatus();
}

void ToProto(const protocol::ExitRecord& in, wire::ExitRecord* out) {
  out->set_code(in.code);
  out->set_signal(in.signal);
  out->set_oom_killed(in.oom_killed);
  out->set_stopped_by_us(in.stopped_by_us);
  out->set_started_us(in.started.us);
  out->set_ended_us(in.ended.us);
  out->set_user_us(in.user_us);
  out->set_system_us(in.system_us);
  out->set_peak_rss_bytes(in.peak_rss_bytes);
  out->set_last_log(Utf8(in.last_log));
  out->set_note(Utf8(in.note));
}

absl::Status FromProto(const wire::ExitRecord& in, protocol::ExitRecord* out) {
  out->code = in.code();
  out->signal = in.signal();
  out->oom_killed = in.oom_killed();
  out->stopped_by_us = in.stopped_by_us();
  out->started = base::WallTime{in.started_us()};
  out->ended = base::WallTime{in.ended_us()};
  out->user_us = in.user_us();
  out->system_us = in.system_us();
  out->peak_rss_bytes = in.peak_rss_bytes();
  out->last_log = in.last_log();
  out->note = in.note();
  return absl::OkStatus();
}

void ToProto(const protocol::Inventory& in, wire::Inventory* out) {
  out->set_name(Utf8(in.name));
  out->set_address(Utf8(in.address));
  out->set_cpu_slots(in.cpu_slots);
  out->set_memory_bytes(in.memory_bytes);
  for (const protocol::GpuInfo& gpu : in.gpus) {
    wire::GpuInfo* to = out->add_gpus();
    to->set_uuid(Utf8(gpu.uuid));
    to->set_name(Utf8(gpu.name));
    to->set_index(gpu.index);
    to->set_memory_bytes(gpu.memory_bytes);
    to->set_available(gpu.available);
    to->set_why_not(Utf8(gpu.why_not));
  }
  out->set_gpu_note(Utf8(in.gpu_note));
  for (const auto& [key, value] : in.labels) (*out->mutable_labels())[Utf8(key)] = Utf8(value);
  out->set_version(Utf8(in.version));
  out->set_boot_id(Utf8(in.boot_id));
  for (const std::string& condition : in.conditions) out->add_conditions(Utf8(condition));
  out->set_why_no_work(Utf8(in.why_no_work));
}

absl::Status FromProto(const wire::Inventory& in, protocol::Inventory* out) {
  out->name = in.name();
  out->address = in.address();
  out->cpu_slots = in.cpu_slots();
  out->memory_bytes = in.memory_bytes();
  out->gpus.clear();
  for (const wire::GpuInfo& gpu : in.gpus()) {
    if (gpu.uuid().empty()) return Missing("GpuInfo", "uuid");
    out->gpus.push_back({.uuid = gpu.uuid(),
                         .name = gpu.name(),
                         .index = gpu.index(),
                         .memory_bytes = gpu.memory_bytes(),
                         .available = gpu.available(),
                         .why_not = gpu.why_not()});
  }
  out->gpu_note = in.gpu_note();
  out->labels.clear();
  out->labels.insert(in.labels().begin(), in.labels().end());
  out->version = in.version();
  out->boot_id = in.boot_id();
  out->conditions.assign(in.conditions().begin(), in.conditions().end());
  out->why_no_work = in.why_no_work();
  return absl::OkStatus();
}

void ToProto(const protocol::StartTask& in, wire::StartTask* out) {
  out->set_task(in.task.value);
  out->set_kind(static_cast<uint32_t>(in.kind));
  out->set_argument(Utf8(in.argument));
  out->set_spec_yaml(Utf8(in.spec_yaml));
}

absl::Status FromProto(const wire::StartTask& in, protocol::StartTask* out) {
  if (in.task() == 0) return OutOfRange("StartTask", "task", 0, 1, UINT64_MAX);
  out->task = base::TaskId(in.task());
  COX_RETURN_IF_ERROR(
      ReadEnum("StartTask", "kind", in.kind(), protocol::TaskKind::kCollect, &out->kind));
  out->argument = in.argument();
  out->spec_yaml = in.spec_yaml();
  return absl::OkStatus();
}

void ToProto(const protocol::TaskEnded& in, wire::TaskEnded* out) {
  out->set_task(in.task.value);
  out->set_ok(in.ok);
  out->set_error(Utf8(in.error));
  out->set_user_error(in.user_error);
  out->set_result(Utf8(in.result));
}

absl::Status FromProto(const wire::TaskEnded& in, protocol::TaskEnded* out) {
  if (in.task() == 0) return OutOfRange("TaskEnded", "task", 0, 1, UINT64_MAX);
  out->task = base::TaskId(in.task());
  out->ok = in.ok();
  out->error = in.error();
  out->user_error = in.user_error();
  out->result = in.result();
  return absl::OkStatus();
}

}  // namespace coxswain::rpc
