#include "cli/rpc/convert.h"

#include <google/protobuf/util/json_util.h>

namespace coxswain::cli::rpc {
namespace {

std::string WithoutPrefix(const std::string& name, std::string_view prefix) {
  return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

// Protobuf's own name of a value would have it build the descriptors of all that is linked, which
// is a tenth of what `cox submit` costs.
std::string NameOf(wire::JobState state) {
  switch (state) {
    case wire::PENDING:
      return "PENDING";
    case wire::RUNNING:
      return "RUNNING";
    case wire::COMPLETED:
      return "COMPLETED";
    default:
      return WithoutPrefix(wire::JobState_Name(state), "JOB_STATE_");
  }
}

Cause FromWire(wire::FailureCause in) {
  switch (in) {
    case wire::FAILURE_CAUSE_USER:
      return Cause::kUser;
    case wire::FAILURE_CAUSE_INFRASTRUCTURE:
      return Cause::kInfrastructure;
    case wire::FAILURE_CAUSE_OUT_OF_MEMORY:
      return Cause::kOutOfMemory;
    case wire::FAILURE_CAUSE_TIME_LIMIT:
      return Cause::kTimeLimit;
    case wire::FAILURE_CAUSE_CANCELLED:
      return Cause::kCancelled;
    case wire::FAILURE_CAUSE_PREEMPTED:
      return Cause::kPreempted;
    case wire::FAILURE_CAUSE_RESIZED:
      return Cause::kResized;
    default:
      return Cause::kNone;
  }
}

// "LOST_PEER"; empty: nothing went wrong.
std::string KindName(wire::FailureKind kind) {
  if (kind == wire::FAILURE_KIND_NONE) return "";
  return WithoutPrefix(wire::FailureKind_Name(kind), "FAILURE_KIND_");
}

ExitInfo FromWire(const wire::ExitInfo& in) {
  return {in.ended(), in.code(), in.signal(), in.rank(), in.node(), in.last_log()};
}

Progress FromWire(const wire::Progress& in) {
  return {.epoch = in.epoch(),
          .epochs = in.epochs(),
          .step = in.step(),
          .total_steps = in.total_steps(),
          .position = in.position(),
          .loss = in.has_loss() ? std::optional<double>(in.loss()) : std::nullopt,
          .samples_per_second = in.samples_per_second(),
          .remaining_ms = in.remaining_ms(),
          .has_eval = in.has_eval(),
          .eval_accuracy = in.eval_accuracy(),
          .eval_loss = in.has_eval_loss() ? std::optional<double>(in.eval_loss()) : std::nullopt,
          .global_batch = in.global_batch(),
          .gradient_noise = in.gradient_noise()};
}

RankStatus FromWire(const wire::RankStatus& in) {
  return {.rank = in.rank(),
          .node = in.node(),
          .state = in.state(),
          .pid = in.pid(),
          .step = in.step(),
          .phase = in.phase(),
          .gpu_uuids = {in.gpu_uuids().begin(), in.gpu_uuids().end()},
          .reachable = in.reachable(),
          .exit = FromWire(in.exit())};
}

Attempt FromWire(const wire::Attempt& in) {
  return {.number = in.number(),
          .started_us = in.started_us(),
          .ended_us = in.ended_us(),
          .cause = FromWire(in.cause()),
          .reason = in.reason(),
          .exit = FromWire(in.exit()),
          .resumed_from = in.resumed_from(),
          .resumed_position = in.resumed_position(),
          .kind = KindName(in.kind()),
          .workers = in.workers()};
}

Gpu FromWire(const wire::Gpu& in) {
  return {.index = in.index(),
          .uuid = in.uuid(),
          .name = in.name(),
          .memory_bytes = in.memory_bytes(),
          .available = in.available(),
          .why_not = in.why_not(),
          .job = in.job()};
}

}  // namespace

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text, options).ok()) return "{}";
  return text;
}

bool HasEnded(const Job& job) {
  return job.state != "UNSPECIFIED" && job.state != "PENDING" && job.state != "RUNNING" &&
         job.state != "RECOVERING";
}

const char* ToString(Cause cause) {
  switch (cause) {
    case Cause::kNone:
      return "";
    case Cause::kUser:
      return "USER";
    case Cause::kInfrastructure:
      return "INFRASTRUCTURE";
    case Cause::kOutOfMemory:
      return "OUT_OF_MEMORY";
    case Cause::kTimeLimit:
      return "TIME_LIMIT";
    case Cause::kCancelled:
      return "CANCELLED";
    case Cause::kPreempted:
      return "PREEMPTED";
    case Cause::kResized:
      return "RESIZED";
  }
  return "";
}

Job FromWire(const wire::Job& in) {
  Job out;
  out.id = in.id();
  out.name = in.name();
  out.state = NameOf(in.state());
  out.reason = in.reason();
  out.cause = FromWire(in.cause());
  out.submitted_us = in.submitted_us();
  out.started_us = in.started_us();
  out.ended_us = in.ended_us();
  out.workers = in.workers();
  out.attempt = in.attempt();
  out.max_attempts = in.max_attempts();
  out.generation = in.generation();
  out.labels = {in.labels().begin(), in.labels().end()};
  out.spec_yaml = in.spec_yaml();
  out.has_progress = in.has_progress();
  out.progress = FromWire(in.progress());
  for (const auto& rank : in.ranks()) out.ranks.push_back(FromWire(rank));
  for (const auto& attempt : in.attempts()) out.attempts.push_back(FromWire(attempt));
  out.exit = FromWire(in.exit());
  out.model_uri = in.model_uri();
  out.has_checkpoint = in.has_last_checkpoint();
  if (out.has_checkpoint) out.last_checkpoint = FromWire(in.last_checkpoint());
  out.has_best = in.has_best_checkpoint();
  if (out.has_best) out.best_checkpoint = FromWire(in.best_checkpoint());
  out.submitted_by = in.submitted_by();
  out.queue = in.queue();
  out.own_program = in.own_program();
  out.priority = in.priority();
  out.preemptions = in.preemptions();
  out.workers_now = in.workers_now();
  out.min_global_batch = in.min_global_batch();
  out.max_global_batch = in.max_global_batch();
  out.batch_reason = in.batch_reason();
  out.min_workers = in.min_workers();
  out.max_workers = in.max_workers();
  out.resizes = in.resizes();
  out.failed_attempts = in.failed_attempts();
  out.failure_kind = KindName(in.failure_kind());
  for (const auto& step : in.step_times()) {
    out.step_times.push_back({step.nodes(), step.workers(), step.global_batch(), step.seconds()});
  }
  out.expected_start_us = in.expected_start_us();
  out.expected_end_us = in.expected_end_us();
  out.conditions = {in.conditions().begin(), in.conditions().end()};
  out.metric_points_dropped = in.metric_points_dropped();
  out.metric_points_dropped_us = in.metric_points_dropped_us();
  return out;
}

Checkpoint FromWire(const wire::Checkpoint& in) {
  return {.id = in.id(),
          .state = WithoutPrefix(wire::CheckpointState_Name(in.state()), "CHECKPOINT_"),
          .step = in.step(),
          .position = in.position(),
          .generation = in.generation(),
          .uri = in.uri(),
          .bytes = in.bytes(),
          .shards = in.shards(),
          .opened_us = in.opened_us(),
          .committed_us = in.committed_us(),
          .verified_us = in.verified_us(),
          .reason = in.reason(),
          .final = in.final(),
          .best = in.best(),
          .metric = in.metric()};
}

Node FromWire(const wire::Node& in) {
  Node out;
  out.id = in.id();
  out.name = in.name();
  out.state = in.state();
  out.reason = in.reason();
  out.address = in.address();
  out.cpu_slots = in.cpu_slots();
  out.cpu_slots_free = in.cpu_slots_free();
  for (const auto& gpu : in.gpus()) out.gpus.push_back(FromWire(gpu));
  out.memory_bytes = in.memory_bytes();
  out.version = in.version();
  out.last_heartbeat_us = in.last_heartbeat_us();
  out.jobs = {in.jobs().begin(), in.jobs().end()};
  out.labels = {in.labels().begin(), in.labels().end()};
  out.conditions = {in.conditions().begin(), in.conditions().end()};
  out.drain_by_us = in.drain_by_us();
  out.cordoned = in.cordoned();
  out.gpu_note = in.gpu_note();
  return out;
}

Slots FromWire(const wire::Slots& in) { return {in.cpus(), in.gpus()}; }

Queue FromWire(const wire::Queue& in) {
  Queue out;
  out.name = in.name();
  out.parent = in.parent();
  out.quota = FromWire(in.quota());
  out.limit = FromWire(in.limit());
  out.user_limit = FromWire(in.user_limit());
  out.user_jobs = in.user_jobs();
  out.held = FromWire(in.held());
  out.running = in.running();
  out.pending = in.pending();
  out.weight = in.weight();
  out.used_slot_hours = in.used_slot_hours();
  out.fair_slot_hours = in.fair_slot_hours();
  for (const auto& user : in.users()) {
    out.users.push_back({user.name(), FromWire(user.held()), user.running(), user.share_used()});
  }
  return out;
}

Explanation FromWire(const wire::ExplainJobResponse& in) {
  Explanation out;
  out.job = FromWire(in.job());
  out.reasons = {in.reasons().begin(), in.reasons().end()};
  out.since_us = in.since_us();
  out.expected_end_us = in.expected_end_us();
  out.let_go = {in.let_go().begin(), in.let_go().end()};
  for (const auto& queue : in.queues()) out.queues.push_back(FromWire(queue));
  for (const auto& room : in.nodes()) {
    out.nodes.push_back({FromWire(room.node()), room.used(), room.ranks(), room.why_not()});
  }
  out.nodes_in_all = in.nodes_in_all();
  for (const auto& alike : in.no_room()) {
    out.no_room.push_back(
        {alike.why_not(), alike.count(), {alike.names().begin(), alike.names().end()}});
  }
  out.warnings = {in.warnings().begin(), in.warnings().end()};
  return out;
}

Event FromWire(const wire::Event& in) {
  return {.cursor = in.cursor(),
          .time_us = in.time_us(),
          .job = in.job(),
          .node = in.node(),
          .kind = in.kind(),
          .text = in.text(),
          .severity = in.severity(),
          .json = ""};
}

MetricPoint FromWire(const wire::MetricPoint& in) {
  return {.name = in.name(),
          .rank = in.rank(),
          .step = in.step(),
          .value = in.value(),
          .time_us = in.time_us(),
          .generation = in.generation(),
          .repeated_by_later = in.repeated_by_later(),
          .json = ""};
}

LogChunk FromWire(const wire::LogChunk& in) {
  return {.rank = in.rank(),
          .is_stderr = in.stream() == wire::LOG_STREAM_STDERR,
          .attempt = in.attempt(),
          .data = in.data(),
          .note = in.note()};
}

ServerInfo FromWire(const wire::ServerInfo& in) {
  return {.version = in.version(),
          .cluster_id = in.cluster_id(),
          .term = in.term(),
          .writable = in.writable(),
          .why_not_writable = in.why_not_writable(),
          .http_address = in.http_address(),
          .worker_address = in.worker_address(),
          .started_us = in.started_us(),
          .warnings = {in.warnings().begin(), in.warnings().end()},
          .json = ""};
}

}  // namespace coxswain::cli::rpc
