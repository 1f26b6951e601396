#include "coordinator/http/json_views.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "common/base/byte_text.h"
#include "coordinator/core/scheduling/usage.h"
#include "coordinator/http/html_text.h"

namespace coxswain::coordinator::http {
namespace {

using nlohmann::json;

// Names and logs may hold any bytes: what is not UTF-8 is replaced.
std::string Dump(const json& j) {
  return j.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

json ExitJson(const protocol::ExitRecord& record, core::Rank rank, const std::string& node) {
  return {{"code", record.code},
          {"signal", record.signal},
          {"rank", rank},
          {"node", node},
          {"last_log", record.last_log.empty() ? record.note : record.last_log}};
}

// JSON knows no NaN or infinity.
json Finite(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }

json ProgressJson(const protocol::TrainerProgress& p, base::WallTime at, bool runs) {
  json j = {{"epoch", p.epoch},
            {"epochs", p.epochs},
            {"step", p.step},
            {"total_steps", p.total_steps},
            {"position", p.position},
            {"global_batch", p.global_batch},
            {"gradient_noise", Finite(p.gradient_noise)},
            {"updated_us", at.us}};
  if (runs) {  // of one that waits or has ended this holds no longer
    j["samples_per_second"] = Finite(p.samples_per_second);
    j["remaining_ms"] = p.remaining_ms;
    j["phase"] = protocol::ToString(p.phase);
  }
  if (std::isfinite(p.loss)) j["loss"] = p.loss;
  if (p.has_eval) {
    if (std::isfinite(p.eval_loss)) j["eval_loss"] = p.eval_loss;
    if (p.eval_accuracy >= 0) j["eval_accuracy"] = p.eval_accuracy;
  }
  return j;
}

json RankJson(const core::RankRow& row, const core::LiveJob& live, const NodeNames& names) {
  const std::string node = names(row.node);
  json j = {{"rank", row.key.rank}, {"attempt", row.key.attempt.value},
            {"node", node},         {"state", core::ShownState(row)},
            {"pid", row.pid},       {"gpu_uuids", row.gpu_uuids},
            {"reachable", true}};
  if (row.exit) j["exit"] = ExitJson(*row.exit, row.key.rank, node);
  for (const core::LiveRank& rank : live.ranks) {
    if (rank.rank != row.key.rank || row.exit) continue;
    j["reachable"] = rank.reachable;
    j["phase"] = protocol::ToString(rank.phase);
    j["step"] = rank.step;
  }
  return j;
}

json AttemptJson(const core::AttemptRow& row, const NodeNames& names) {
  json j = {{"number", row.number.value},
            {"started_us", row.started.us},
            {"ended_us", row.ended.us},
            {"cause", CauseName(row.cause)},
            {"kind", protocol::ToString(row.kind)},
            {"workers", row.workers},
            {"reason", row.reason},
            {"resumed_from", row.resumed ? base::ToString(row.resumed) : row.resumed_uri},
            {"resumed_position", row.resumed_position},
            {"last_step", row.last_step}};
  if (row.exit) j["exit"] = ExitJson(row.exit->record, row.exit->rank, names(row.exit->node));
  return j;
}

json CheckpointJson(const core::CheckpointRow& row) {
  return {{"id", base::ToString(row.id)},
          {"state", core::ToString(core::ShownState(row))},
          {"step", row.step},
          {"position", row.position},
          {"generation", row.generation.value},
          {"uri", row.uri},
          {"bytes", row.bytes},
          {"shards", row.shards},
          {"final", row.final},
          {"best", row.best},
          {"metric", row.metric},
          {"opened_us", row.opened.us},
          {"committed_us", row.committed.us},
          {"verified_us", row.verified.us},
          {"manifest_hash", row.manifest_hash},
          {"reason", row.reason}};
}

json EventJson(const core::EventRow& row, const NodeNames& names) {
  return {{"cursor", row.seq.value},
          {"time_us", row.time.us},
          {"job", row.job ? base::ToString(row.job) : ""},
          {"node", names(row.node)},
          {"kind", row.kind},
          {"text", row.text},
          {"severity", row.severity},
          {"attempt", row.attempt.value},
          {"generation", row.generation.value}};
}

json SummaryJson(const runtime::JobView& view, const NodeNames& names) {
  const core::JobRow& row = view.record.job;
  json j = {{"id", base::ToString(row.id)},
            {"name", row.request.name},
            {"state", core::ToString(row.state)},
            {"reason", ReasonOf(view)},
            {"cause", CauseName(row.cause)},
            {"kind", protocol::ToString(row.kind)},
            {"submitted_us", row.submitted.us},
            {"started_us", row.started.us},
            {"ended_us", row.ended.us},
            {"workers", row.request.workers},
            {"attempt", row.attempt.value},
            {"max_attempts", row.request.max_attempts},
            {"generation", row.generation.value},
            {"labels", row.request.labels},
            {"submitted_by", row.submitted_by},
            {"queue", row.request.queue},
            {"priority", row.request.priority},
            {"preemptions", row.preemptions},
            {"min_workers", core::MinWorkers(row.request)},
            {"max_workers", core::MaxWorkers(row.request)},
            {"workers_now", view.live.ranks.size()},
            {"min_global_batch", row.request.batch},
            {"max_global_batch", std::max(row.request.batch, row.request.max_batch)},
            {"batch_reason", view.live.batch_reason},
            {"resizes", row.resizes},
            {"failed_attempts", row.failures},
            {"expected_start_us", view.live.expected_start.us},
            {"expected_end_us", core::IsFinal(row.state) ? 0 : view.live.expected_end.us},
            {"model_uri", row.model_uri},
            {"conditions", view.live.conditions},
            {"metric_points_dropped", view.dropped.points},
            {"metric_points_dropped_us", view.dropped.last.us},
            {"cursor", view.record.last_event.value}};
  if (view.live.progress) {
    j["progress"] = ProgressJson(*view.live.progress, view.live.progress_at,
                                 row.state == core::JobState::kRunning);
  }
  if (row.exit) j["exit"] = ExitJson(row.exit->record, row.exit->rank, names(row.exit->node));
  if (view.record.last_checkpoint) {
    j["last_checkpoint"] = CheckpointJson(*view.record.last_checkpoint);
  }
  if (view.record.best_checkpoint) {
    j["best_checkpoint"] = CheckpointJson(*view.record.best_checkpoint);
  }
  return j;
}

json GpuJson(const protocol::GpuInfo& gpu, const core::LiveNode& live) {
  json j = {{"uuid", gpu.uuid},           {"name", gpu.name},
            {"index", gpu.index},         {"memory_bytes", gpu.memory_bytes},
            {"available", gpu.available}, {"why_not", gpu.why_not}};
  if (auto job = live.gpu_jobs.find(gpu.uuid); job != live.gpu_jobs.end()) {
    j["job"] = base::ToString(job->second);
  }
  return j;
}

json NodeJson(const runtime::NodeView& view) {
  const protocol::Inventory& inventory = view.row->inventory;
  json gpus = json::array();
  for (const protocol::GpuInfo& gpu : inventory.gpus) gpus.push_back(GpuJson(gpu, view.live));
  json jobs = json::array();
  for (core::JobId job : view.live.jobs) jobs.push_back(base::ToString(job));
  std::vector<std::string> conditions = view.live.conditions;
  if (!view.same_name.empty()) conditions.push_back(view.same_name);
  conditions.insert(conditions.end(), inventory.conditions.begin(), inventory.conditions.end());
  return {{"id", view.row->id.value},
          {"name", view.row->name},
          {"state", NodeState(view)},
          {"reason", view.row->drain_reason},
          {"cordoned", view.row->cordoned},
          {"drain_by_us", view.row->drain_by.us},
          {"address", inventory.address},
          {"cpu_slots", inventory.cpu_slots},
          {"cpu_slots_free", view.live.cpu_slots_free},
          {"memory_bytes", inventory.memory_bytes},
          {"gpus", gpus},
          {"gpu_note", inventory.gpu_note},
          {"labels", inventory.labels},
          {"version", inventory.version},
          {"conditions", conditions},
          {"jobs", jobs},
          {"last_heartbeat_us", view.live.last_heartbeat.us},
          {"connected_us", view.live.connected.us}};
}

json SlotsJson(const core::Amount& held) { return {{"cpus", held.cpus}, {"gpus", held.gpus}}; }
json SlotsJson(const core::Bound& bound) {
  return {{"cpus", bound.cpus.value_or(-1)}, {"gpus", bound.gpus.value_or(-1)}};
}

json QueueJson(const core::LiveQueue& queue) {
  json users = json::array();
  for (const auto& [name, user] : queue.users) {
    users.push_back({{"name", name},
                     {"held", SlotsJson(user.held)},
                     {"running", user.running},
                     {"share_used", user.share}});
  }
  const core::QueueSettings& settings = queue.settings;
  return {{"name", settings.name},
          {"parent", settings.parent},
          {"quota", SlotsJson(settings.quota)},
          {"limit", SlotsJson(settings.limit)},
          {"user_limit", SlotsJson(settings.user_limit)},
          {"user_jobs", settings.user_jobs.value_or(-1)},
          {"weight", settings.weight},
          {"held", SlotsJson(queue.held)},
          {"running", queue.running},
          {"pending", queue.pending},
          {"used_slot_hours", core::SlotHours(queue.used)},
          {"fair_slot_hours", core::SlotHours(queue.fair)},
          {"users", std::move(users)}};
}

template <class List, class ToJson>
json ArrayOf(const List& list, ToJson to_json) {
  json array = json::array();
  for (const auto& item : list) array.push_back(to_json(item));
  return array;
}

}  // namespace

const std::string& ReasonOf(const runtime::JobView& job) {
  bool live = !core::IsFinal(job.record.job.state) && !job.live.reason.empty();
  return live ? job.live.reason : job.record.job.reason;
}

std::vector<std::string> OtherConditions(const runtime::JobView& job) {
  std::vector<std::string> out;
  for (const std::string& condition : job.live.conditions) {
    if (ReasonOf(job).find(condition) == std::string::npos) out.push_back(condition);
  }
  return out;
}

std::string RanksText(const runtime::JobView& job) {
  const core::JobRequest& request = job.record.job.request;
  return base::RangedText(static_cast<int64_t>(job.live.ranks.size()), core::MinWorkers(request),
                          core::MaxWorkers(request));
}

std::string JobsJson(const std::vector<runtime::JobView>& jobs, const std::string& next_page_token,
                     const NodeNames& names) {
  return Dump({{"jobs", ArrayOf(jobs, [&](const auto& job) { return SummaryJson(job, names); })},
               {"next_page_token", next_page_token}});
}

std::string JobJson(const runtime::JobView& job,
                    const std::vector<core::CheckpointRow>& checkpoints,
                    const std::vector<core::EventRow>& events, const NodeNames& names) {
  json j = SummaryJson(job, names);
  j["spec_yaml"] = job.masked_yaml;
  j["ranks"] = ArrayOf(job.record.ranks,
                       [&](const core::RankRow& row) { return RankJson(row, job.live, names); });
  j["attempts"] =
      ArrayOf(job.record.attempts, [&](const auto& row) { return AttemptJson(row, names); });
  j["checkpoints"] = ArrayOf(checkpoints, CheckpointJson);
  j["events"] = ArrayOf(events, [&](const auto& row) { return EventJson(row, names); });
  return Dump(j);
}

std::string NodesJson(const std::vector<runtime::NodeView>& nodes) {
  return Dump({{"nodes", ArrayOf(nodes, NodeJson)}, {"warnings", core::NodeWarnings(nodes)}});
}

std::string QueuesJson(const runtime::QueuesView& view) {
  return Dump({{"policy", view.policy},
               {"default_queue", view.default_queue},
               {"queues", ArrayOf(view.queues, QueueJson)},
               {"warnings", view.warnings}});
}

std::string ErrorJson(const std::string& text) { return Dump({{"error", text}}); }

}  // namespace coxswain::coordinator::http
