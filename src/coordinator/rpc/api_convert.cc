#include "coordinator/rpc/api_convert.h"

#include <cmath>

#include "common/rpc/convert.h"
#include "coordinator/core/scheduling/usage.h"
#include "coxswain/v1/coxswain.pb.h"

namespace coxswain::coordinator::rpc {
namespace {

using coxswain::rpc::Utf8;

std::string IdOrNothing(core::JobId id) { return id ? base::ToString(id) : std::string(); }

void FillExit(const protocol::ExitRecord& record, core::Rank rank, const std::string& node,
              v1::ExitInfo* out) {
  out->set_ended(true);
  out->set_code(record.code);
  out->set_signal(record.signal);
  out->set_rank(rank);
  out->set_node(Utf8(node));
  out->set_last_log(Utf8(record.last_log.empty() ? record.note : record.last_log));
}

void FillExit(const core::Exit& exit, const NodeNames& names, v1::ExitInfo* out) {
  FillExit(exit.record, exit.rank, names(exit.node), out);
}

void FillProgress(const runtime::JobView& in, v1::Job* out) {
  if (in.live.progress) {
    const protocol::TrainerProgress& from = *in.live.progress;
    v1::Progress* to = out->mutable_progress();
    to->set_epoch(from.epoch);
    to->set_epochs(from.epochs);
    to->set_step(from.step);
    to->set_total_steps(from.total_steps);
    to->set_position(from.position);
    if (std::isfinite(from.loss)) to->set_loss(from.loss);
    to->set_samples_per_second(from.samples_per_second);
    to->set_remaining_ms(from.remaining_ms);
    to->set_has_eval(from.has_eval);
    if (from.has_eval && std::isfinite(from.eval_loss)) to->set_eval_loss(from.eval_loss);
    to->set_eval_accuracy(from.eval_accuracy);
    to->set_updated_us(in.live.progress_at.us);
    to->set_global_batch(from.global_batch);
    to->set_gradient_noise(std::isfinite(from.gradient_noise) ? from.gradient_noise : 0);
  } else if (!in.record.attempts.empty() && in.record.attempts.back().last_step > 0) {
    const core::AttemptRow& last = in.record.attempts.back();
    out->mutable_progress()->set_step(last.last_step);
    out->mutable_progress()->set_remaining_ms(-1);
    out->mutable_progress()->set_updated_us(last.ended.us);
  }
}

void FillRank(const core::RankRow& row, const core::LiveJob& live, const NodeNames& names,
              v1::RankStatus* out) {
  out->set_rank(row.key.rank);
  const std::string node = names(row.node);
  out->set_node(Utf8(node));
  out->set_state(core::ShownState(row));
  out->set_pid(row.pid);
  for (const std::string& uuid : row.gpu_uuids) out->add_gpu_uuids(Utf8(uuid));
  if (row.exit) FillExit(*row.exit, row.key.rank, node, out->mutable_exit());
  out->set_reachable(true);
  for (const core::LiveRank& rank : live.ranks) {
    if (rank.rank != row.key.rank || row.exit) continue;
    out->set_reachable(rank.reachable);
    out->set_phase(protocol::ToString(rank.phase));
    out->set_step(rank.step);
  }
}

void FillAttempt(const core::AttemptRow& row, const NodeNames& names, v1::Attempt* out) {
  out->set_number(static_cast<uint32_t>(row.number.value));
  out->set_started_us(row.started.us);
  out->set_ended_us(row.ended.us);
  out->set_cause(static_cast<v1::FailureCause>(row.cause));
  out->set_reason(Utf8(row.reason));
  if (row.exit) FillExit(*row.exit, names, out->mutable_exit());
  out->set_resumed_from(row.resumed ? base::ToString(row.resumed) : Utf8(row.resumed_uri));
  out->set_resumed_position(row.resumed_position);
  out->set_kind(static_cast<v1::FailureKind>(row.kind));
  out->set_workers(row.workers);
}

}  // namespace

void Fill(const runtime::JobView& in, JobParts parts, const NodeNames& names, v1::Job* out) {
  const core::JobRow& row = in.record.job;
  bool final = core::IsFinal(row.state);
  out->set_id(IdOrNothing(row.id));
  out->set_name(Utf8(row.request.name));
  out->set_state(static_cast<v1::JobState>(row.state));
  out->set_reason(Utf8(final || in.live.reason.empty() ? row.reason : in.live.reason));
  out->set_cause(static_cast<v1::FailureCause>(row.cause));
  out->set_submitted_us(row.submitted.us);
  out->set_started_us(row.started.us);
  out->set_ended_us(row.ended.us);
  out->set_workers(row.request.workers);
  out->set_attempt(static_cast<uint32_t>(row.attempt.value));
  out->set_max_attempts(row.request.max_attempts);
  out->set_generation(row.generation.value);
  for (const auto& [key, value] : row.request.labels) {
    (*out->mutable_labels())[Utf8(key)] = Utf8(value);
  }
  FillProgress(in, out);
  if (row.exit) FillExit(*row.exit, names, out->mutable_exit());
  out->set_model_uri(Utf8(row.model_uri));
  if (in.record.last_checkpoint) {
    Fill(*in.record.last_checkpoint, out->mutable_last_checkpoint());
  }
  if (in.record.best_checkpoint) {
    Fill(*in.record.best_checkpoint, out->mutable_best_checkpoint());
  }
  out->set_submitted_by(Utf8(row.submitted_by));
  out->set_queue(Utf8(row.request.queue));
  out->set_own_program(row.request.own_program);
  out->set_priority(row.request.priority);
  out->set_preemptions(row.preemptions);
  out->set_min_workers(core::MinWorkers(row.request));
  out->set_max_workers(core::MaxWorkers(row.request));
  out->set_resizes(row.resizes);
  out->set_failure_kind(static_cast<v1::FailureKind>(row.kind));
  out->set_failed_attempts(row.failures);
  out->set_workers_now(static_cast<uint32_t>(in.live.ranks.size()));
  out->set_min_global_batch(row.request.batch);
  out->set_max_global_batch(std::max(row.request.batch, row.request.max_batch));
  out->set_batch_reason(in.live.batch_reason);
  out->set_expected_start_us(in.live.expected_start.us);
  if (!final) out->set_expected_end_us(in.live.expected_end.us);
  out->set_cursor(in.record.last_event.value);
  out->set_metric_points_dropped(in.dropped.points);
  out->set_metric_points_dropped_us(in.dropped.last.us);
  for (const std::string& condition : in.live.conditions) out->add_conditions(Utf8(condition));
  if (parts == JobParts::kList) return;
  for (const core::RankRow& rank : in.record.ranks)
    FillRank(rank, in.live, names, out->add_ranks());
  for (const core::StepTime& step : row.speed.steps) {
    v1::StepTime* to = out->add_step_times();
    to->set_nodes(step.nodes);
    to->set_workers(step.workers);
    to->set_global_batch(step.batch);
    to->set_seconds(step.seconds);
  }
  for (const core::AttemptRow& attempt : in.record.attempts) {
    FillAttempt(attempt, names, out->add_attempts());
  }
  if (parts == JobParts::kAll) out->set_spec_yaml(Utf8(in.masked_yaml));
}

void Fill(const runtime::NodeView& in, v1::Node* out) {
  const protocol::Inventory& inventory = in.row->inventory;
  out->set_id(Utf8(in.row->id.value));
  out->set_name(Utf8(in.row->name));
  out->set_state(core::NodeState(in));
  out->set_reason(Utf8(in.row->drain_reason));
  out->set_gpu_note(Utf8(in.row->inventory.gpu_note));
  out->set_drain_by_us(in.row->drain_by.us);
  out->set_cordoned(in.row->cordoned);
  out->set_address(Utf8(inventory.address));
  out->set_cpu_slots(inventory.cpu_slots);
  out->set_cpu_slots_free(in.live.cpu_slots_free);
  for (const protocol::GpuInfo& gpu : inventory.gpus) {
    v1::Gpu* to = out->add_gpus();
    to->set_uuid(Utf8(gpu.uuid));
    to->set_name(Utf8(gpu.name));
    to->set_memory_bytes(gpu.memory_bytes);
    to->set_index(gpu.index);
    to->set_available(gpu.available);
    to->set_why_not(Utf8(gpu.why_not));
    auto job = in.live.gpu_jobs.find(gpu.uuid);
    if (job != in.live.gpu_jobs.end()) to->set_job(IdOrNothing(job->second));
  }
  out->set_memory_bytes(inventory.memory_bytes);
  out->set_version(Utf8(inventory.version));
  out->set_last_heartbeat_us(in.live.last_heartbeat.us);
  for (core::JobId job : in.live.jobs) out->add_jobs(base::ToString(job));
  for (const auto& [key, value] : inventory.labels) {
    (*out->mutable_labels())[Utf8(key)] = Utf8(value);
  }
  out->set_incarnation(in.live.incarnation.value);
  out->set_connected_us(in.live.connected.us);
  for (const std::string& condition : in.live.conditions) out->add_conditions(Utf8(condition));
  if (!in.same_name.empty()) out->add_conditions(Utf8(in.same_name));
  for (const std::string& condition : inventory.conditions) out->add_conditions(Utf8(condition));
}

void Fill(const core::CheckpointRow& in, v1::Checkpoint* out) {
  out->set_id(base::ToString(in.id));
  out->set_job(IdOrNothing(in.job));
  out->set_state(static_cast<v1::CheckpointState>(core::ShownState(in)));
  out->set_step(in.step);
  out->set_position(in.position);
  out->set_generation(in.generation.value);
  out->set_uri(Utf8(in.uri));
  out->set_bytes(static_cast<int64_t>(in.bytes));
  out->set_shards(in.shards);
  out->set_opened_us(in.opened.us);
  out->set_committed_us(in.committed.us);
  out->set_verified_us(in.verified.us);
  out->set_reason(Utf8(in.reason));
  out->set_manifest_hash(Utf8(in.manifest_hash));
  out->set_final(in.final);
  out->set_best(in.best);
  out->set_metric(in.metric);
}

void Fill(const core::EventRow& in, const NodeNames& names, v1::Event* out) {
  out->set_cursor(in.seq.value);
  out->set_time_us(in.time.us);
  out->set_job(IdOrNothing(in.job));
  out->set_node(Utf8(names(in.node)));
  out->set_kind(Utf8(in.kind));
  out->set_text(Utf8(in.text));
  out->set_severity(Utf8(in.severity));
  out->set_attempt(static_cast<uint32_t>(in.attempt.value));
  out->set_generation(in.generation.value);
}

void Fill(const store::StoredPoint& in, v1::MetricPoint* out) {
  out->set_name(Utf8(in.point.name));
  out->set_rank(in.point.rank);
  out->set_step(in.point.step);
  out->set_value(in.point.value);
  out->set_time_us(in.point.time.us);
  out->set_generation(in.point.generation.value);
  out->set_repeated_by_later(in.repeated_by_later);
}

void Fill(const core::Amount& in, v1::Slots* out) {
  out->set_cpus(in.cpus);
  out->set_gpus(in.gpus);
}
void Fill(const core::Bound& in, v1::Slots* out) {
  out->set_cpus(in.cpus.value_or(-1));
  out->set_gpus(in.gpus.value_or(-1));
}

void Fill(const core::LiveQueue& in, v1::Queue* out) {
  out->set_name(in.settings.name);
  out->set_parent(in.settings.parent);
  Fill(in.settings.quota, out->mutable_quota());
  Fill(in.settings.limit, out->mutable_limit());
  Fill(in.settings.user_limit, out->mutable_user_limit());
  out->set_user_jobs(in.settings.user_jobs.value_or(-1));
  out->set_weight(in.settings.weight);
  Fill(in.held, out->mutable_held());
  out->set_running(static_cast<uint32_t>(in.running));
  out->set_pending(static_cast<uint32_t>(in.pending));
  out->set_used_slot_hours(core::SlotHours(in.used));
  out->set_fair_slot_hours(core::SlotHours(in.fair));
  for (const auto& [name, user] : in.users) {
    v1::QueueUser* to = out->add_users();
    to->set_name(Utf8(name));
    Fill(user.held, to->mutable_held());
    to->set_running(static_cast<uint32_t>(user.running));
    to->set_share_used(user.share);
  }
}

void Fill(const runtime::QueuesView& in, v1::ListQueuesResponse* out) {
  out->set_policy(in.policy);
  for (const core::LiveQueue& queue : in.queues) Fill(queue, out->add_queues());
  out->set_default_queue(in.default_queue);
  for (const std::string& warning : in.warnings) out->add_warnings(Utf8(warning));
}

void Fill(const runtime::Explanation& in, size_t most_nodes, const NodeNames& names,
          v1::ExplainJobResponse* out) {
  Fill(in.job, JobParts::kWatch, names, out->mutable_job());
  for (const std::string& reason : in.reasons) out->add_reasons(Utf8(reason));
  out->set_since_us(in.since.us);
  out->set_expected_end_us(in.job.live.expected_end.us);
  for (const std::string& text : in.let_go) out->add_let_go(Utf8(text));
  for (const core::LiveQueue& queue : in.queues) Fill(queue, out->add_queues());
  for (const runtime::NodeRoom& room : in.nodes) {
    if (static_cast<size_t>(out->nodes_size()) == most_nodes) break;
    v1::NodeRoom* to = out->add_nodes();
    Fill(room.node, to->mutable_node());
    to->set_used(room.used);
    to->set_ranks(room.ranks);
    to->set_why_not(Utf8(room.why_not));
  }
  out->set_nodes_in_all(static_cast<uint32_t>(in.nodes.size()));
  for (const runtime::NodesAlike& alike : in.no_room) {
    v1::NodesAlike* to = out->add_no_room();
    to->set_why_not(Utf8(alike.why_not));
    to->set_count(alike.count);
    for (const std::string& name : alike.names) to->add_names(Utf8(name));
  }
  for (const std::string& warning : in.warnings) out->add_warnings(Utf8(warning));
}

void Fill(const runtime::DrainResult& in, v1::DrainNodeResponse* out) {
  Fill(in.node, out->mutable_node());
  for (const std::string& warning : in.warnings) out->add_warnings(Utf8(warning));
}

void Fill(const runtime::ServerStatus& in, v1::ServerInfo* out) {
  out->set_version(Utf8(in.version));
  out->set_cluster_id(Utf8(in.cluster.value));
  out->set_term(in.term.value);
  out->set_writable(in.writable);
  out->set_why_not_writable(Utf8(in.why_not));
  out->set_http_address(Utf8(in.http_address));
  out->set_worker_address(Utf8(in.worker_address));
  out->set_started_us(in.started.us);
  for (const std::string& warning : in.warnings) out->add_warnings(Utf8(warning));
}

}  // namespace coxswain::coordinator::rpc
