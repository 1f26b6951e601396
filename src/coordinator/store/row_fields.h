// The nested parts of rows, field by field: what is written is what is read. `visit(key, field)` is
// called for each; the keys are kept for ever. `R` is the type, const or not.
#pragma once

#include <concepts>
#include <type_traits>

#include "coordinator/core/rows.h"

namespace coxswain::coordinator::store {

template <class R, class T>
concept Of = std::same_as<std::remove_const_t<R>, T>;

template <class V, Of<protocol::ExitRecord> R>
void VisitFields(V& visit, R& r) {
  visit("code", r.code);
  visit("signal", r.signal);
  visit("oom_killed", r.oom_killed);
  visit("stopped_by_us", r.stopped_by_us);
  visit("started_us", r.started);
  visit("ended_us", r.ended);
  visit("user_us", r.user_us);
  visit("system_us", r.system_us);
  visit("peak_rss_bytes", r.peak_rss_bytes);
  visit("last_log", r.last_log);
  visit("note", r.note);
}

template <class V, Of<core::Exit> R>
void VisitFields(V& visit, R& r) {
  visit("rank", r.rank);
  visit("node", r.node);
  visit("record", r.record);
}

template <class V, Of<protocol::TrainerProgress> R>
void VisitFields(V& visit, R& r) {
  visit("generation", r.generation);
  visit("step", r.step);
  visit("phase", r.phase);
  visit("epoch", r.epoch);
  visit("epochs", r.epochs);
  visit("total_steps", r.total_steps);
  visit("position", r.position);
  visit("loss", r.loss);
  visit("samples_per_second", r.samples_per_second);
  visit("remaining_ms", r.remaining_ms);
  visit("has_eval", r.has_eval);
  visit("eval_loss", r.eval_loss);
  visit("eval_accuracy", r.eval_accuracy);
  visit("global_batch", r.global_batch);
  visit("gradient_noise", r.gradient_noise);
  visit("waiting_for", r.waiting_for);
  visit("at_once", r.at_once);
}

template <class V, Of<core::LastProgress> R>
void VisitFields(V& visit, R& r) {
  visit("at_us", r.at);
  visit("progress", r.progress);
}

template <class V, Of<core::StepTime> R>
void VisitFields(V& visit, R& r) {
  visit("nodes", r.nodes);
  visit("workers", r.workers);
  visit("batch", r.batch);
  visit("seconds", r.seconds);
}

template <class V, Of<core::Speed> R>
void VisitFields(V& visit, R& r) {
  visit("gradient_noise", r.gradient_noise);
  visit("steps", r.steps);
}

template <class V, Of<protocol::RestoreCandidate> R>
void VisitFields(V& visit, R& r) {
  visit("id", r.id);
  visit("uri", r.uri);
  visit("manifest_hash", r.manifest_hash);
}

template <class V, Of<core::JobRequest> R>  // but the name, which has its own column
void VisitFields(V& visit, R& r) {
  visit("labels", r.labels);
  visit("workers", r.workers);
  visit("cpus", r.cpus);
  visit("gpus", r.gpus);
  visit("memory_bytes", r.memory_bytes);
  visit("node_selector", r.node_selector);
  visit("gpu_kinds", r.gpu_kinds);
  visit("within", r.within);
  visit("queue", r.queue);
  visit("priority", r.priority);
  visit("min_workers", r.min_workers);
  visit("max_workers", r.max_workers);
  visit("batch", r.batch);
  visit("max_batch", r.max_batch);
  visit("expected_us", r.expected_time);
  visit("end_when_preempted", r.end_when_preempted);
  visit("own_program", r.own_program);
  visit("at_once", r.at_once);
  visit("code", r.code);
  visit("max_attempts", r.max_attempts);
  visit("time_limit_us", r.time_limit);
  visit("grace_us", r.grace);
  visit("keep_checkpoints", r.keep_checkpoints);
  visit("store", r.store);
  visit("local_store", r.local_store);
  visit("resume_from", r.resume_from);
  visit("resume_node", r.resume_node);
}

template <class V, Of<protocol::Member> R>
void VisitFields(V& visit, R& r) {
  visit("rank", r.rank);
  visit("incarnation", r.incarnation);
  visit("address", r.address);
}

template <class V, Of<protocol::GpuInfo> R>
void VisitFields(V& visit, R& r) {
  visit("uuid", r.uuid);
  visit("name", r.name);
  visit("index", r.index);
  visit("memory_bytes", r.memory_bytes);
  visit("available", r.available);
  visit("why_not", r.why_not);
}

template <class V, Of<protocol::Inventory> R>
void VisitFields(V& visit, R& r) {
  visit("name", r.name);
  visit("address", r.address);
  visit("cpu_slots", r.cpu_slots);
  visit("memory_bytes", r.memory_bytes);
  visit("gpus", r.gpus);
  visit("gpu_note", r.gpu_note);
  visit("labels", r.labels);
  visit("version", r.version);
  visit("boot_id", r.boot_id);
  visit("conditions", r.conditions);
  visit("why_no_work", r.why_no_work);
}

}  // namespace coxswain::coordinator::store
