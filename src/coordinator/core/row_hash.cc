#include "coordinator/core/row_hash.h"

#include <cstring>

namespace coxswain::coordinator::core {

RowHash& RowHash::Add(const std::string& text) {
  Add(text.size());
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + i, 8);
    Add(word);
  }
  uint64_t rest = 0;
  for (; i < text.size(); ++i) rest = rest << 8 | static_cast<unsigned char>(text[i]);
  return Add(rest);
}

RowHash& RowHash::Add(const protocol::RankKey& key) {
  return Add(key.job).Add(key.attempt).Add(key.rank);
}

RowHash& RowHash::Add(const protocol::ExitRecord& exit) {
  return Add(exit.code)
      .Add(exit.signal)
      .Add(exit.oom_killed)
      .Add(exit.stopped_by_us)
      .Add(exit.started)
      .Add(exit.ended)
      .Add(exit.user_us)
      .Add(exit.system_us)
      .Add(exit.peak_rss_bytes)
      .Add(exit.last_log)
      .Add(exit.note);
}

RowHash& RowHash::Add(const protocol::GpuInfo& gpu) {
  return Add(gpu.uuid)
      .Add(gpu.name)
      .Add(gpu.index)
      .Add(gpu.memory_bytes)
      .Add(gpu.available)
      .Add(gpu.why_not);
}

RowHash& RowHash::Add(const protocol::Inventory& inventory) {
  return Add(inventory.name)
      .Add(inventory.address)
      .Add(inventory.cpu_slots)
      .Add(inventory.memory_bytes)
      .Add(inventory.gpus)
      .Add(inventory.gpu_note)
      .Add(inventory.labels)
      .Add(inventory.version)
      .Add(inventory.boot_id)
      .Add(inventory.conditions)
      .Add(inventory.why_no_work);
}

RowHash& RowHash::Add(const protocol::Member& member) {
  return Add(member.rank).Add(member.incarnation).Add(member.address);
}

RowHash& RowHash::Add(const protocol::Shard& shard) {
  return Add(shard.rank).Add(shard.object).Add(shard.bytes).Add(shard.hash);
}

RowHash& RowHash::Add(const protocol::RestoreCandidate& candidate) {
  return Add(candidate.id).Add(candidate.uri).Add(candidate.manifest_hash);
}

RowHash& RowHash::Add(const protocol::TrainerReady& ready) {
  return Add(ready.address).Add(ready.generation);
}

RowHash& RowHash::Add(const protocol::TrainerProgress& p) {
  return Add(p.generation)
      .Add(p.step)
      .Add(p.phase)
      .Add(p.epoch)
      .Add(p.epochs)
      .Add(p.total_steps)
      .Add(p.position)
      .Add(p.loss)
      .Add(p.samples_per_second)
      .Add(p.remaining_ms)
      .Add(p.has_eval)
      .Add(p.eval_loss)
      .Add(p.eval_accuracy)
      .Add(p.global_batch)
      .Add(p.gradient_noise)
      .Add(p.waiting_for)
      .Add(p.at_once);
}

RowHash& RowHash::Add(const JobRequest& r) {
  return Add(r.name)
      .Add(r.labels)
      .Add(r.workers)
      .Add(r.cpus)
      .Add(r.gpus)
      .Add(r.memory_bytes)
      .Add(r.node_selector)
      .Add(r.gpu_kinds)
      .Add(r.within)
      .Add(r.queue)
      .Add(r.priority)
      .Add(r.min_workers)
      .Add(r.max_workers)
      .Add(r.batch)
      .Add(r.max_batch)
      .Add(r.expected_time)
      .Add(r.end_when_preempted)
      .Add(r.own_program)
      .Add(r.at_once)
      .Add(r.code)
      .Add(r.max_attempts)
      .Add(r.time_limit)
      .Add(r.grace)
      .Add(r.keep_checkpoints)
      .Add(r.store)
      .Add(r.local_store)
      .Add(r.resume_from)
      .Add(r.resume_node);
}

RowHash& RowHash::Add(const Exit& exit) { return Add(exit.rank).Add(exit.node).Add(exit.record); }

RowHash& RowHash::Add(const LastProgress& last) { return Add(last.progress).Add(last.at); }

RowHash& RowHash::Add(const StepTime& step) {
  return Add(step.nodes).Add(step.workers).Add(step.batch).Add(step.seconds);
}

RowHash& RowHash::Add(const Speed& speed) { return Add(speed.steps).Add(speed.gradient_noise); }

RowHash& RowHash::Add(const JobRow& row) {
  return Add(row.id)
      .Add(row.request)
      .Add(row.spec_yaml)
      .Add(row.idempotency_key)
      .Add(row.request_digest)
      .Add(row.submitted_by)
      .Add(row.state)
      .Add(row.reason)
      .Add(row.cause)
      .Add(row.kind)
      .Add(row.check)
      .Add(row.submitted)
      .Add(row.started)
      .Add(row.ended)
      .Add(row.attempt)
      .Add(row.failures)
      .Add(row.generation)
      .Add(row.preemptions)
      .Add(row.resizes)
      .Add(row.ran)
      .Add(row.slot_time)
      .Add(row.cancel_requested)
      .Add(row.cancel_reason)
      .Add(row.resume_uri)
      .Add(row.allow_uncommitted)
      .Add(row.model_uri)
      .Add(row.exit)
      .Add(row.last_progress)
      .Add(row.speed);
}

RowHash& RowHash::Add(const AttemptRow& row) {
  return Add(row.job)
      .Add(row.number)
      .Add(row.started)
      .Add(row.ended)
      .Add(row.workers)
      .Add(row.cause)
      .Add(row.reason)
      .Add(row.exit)
      .Add(row.resumed_uri)
      .Add(row.resumed)
      .Add(row.resumed_position)
      .Add(row.last_step)
      .Add(row.user_error)
      .Add(row.kind);
}

RowHash& RowHash::Add(const RankRow& row) {
  return Add(row.key)
      .Add(row.node)
      .Add(row.incarnation)
      .Add(row.local_rank)
      .Add(row.cpus)
      .Add(row.gpu_uuids)
      .Add(row.state)
      .Add(row.stop_requested)
      .Add(row.finished)
      .Add(row.pid)
      .Add(row.exit);
}

RowHash& RowHash::Add(const GenerationRow& row) {
  return Add(row.job)
      .Add(row.generation)
      .Add(row.attempt)
      .Add(row.members)
      .Add(row.made)
      .Add(row.formed)
      .Add(row.closed)
      .Add(row.batch);
}

RowHash& RowHash::Add(const CheckpointRow& row) {
  return Add(row.id)
      .Add(row.job)
      .Add(row.generation)
      .Add(row.state)
      .Add(row.step)
      .Add(row.position)
      .Add(row.uri)
      .Add(row.manifest_hash)
      .Add(row.bytes)
      .Add(row.shards)
      .Add(row.final)
      .Add(row.best)
      .Add(row.metric)
      .Add(row.collect)
      .Add(row.node)
      .Add(row.opened)
      .Add(row.committed)
      .Add(row.verified)
      .Add(row.reason);
}

RowHash& RowHash::Add(const NodeRow& row) {
  return Add(row.id)
      .Add(row.name)
      .Add(row.draining)
      .Add(row.cordoned)
      .Add(row.drain_reason)
      .Add(row.drain_by)
      .Add(row.inventory)
      .Add(row.first_seen);
}

RowHash& RowHash::Add(const UsageRow& row) {
  return Add(row.queue).Add(row.user).Add(row.amount).Add(row.as_of);
}

RowHash& RowHash::Add(const ClusterRow& row) {
  return Add(row.id)
      .Add(row.term)
      .Add(row.last_job)
      .Add(row.last_checkpoint)
      .Add(row.last_task)
      .Add(row.last_event);
}

}  // namespace coxswain::coordinator::core
