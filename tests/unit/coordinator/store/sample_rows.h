// Rows with every field set, for tests of the store.
#pragma once

#include "coordinator/core/rows.h"

namespace coxswain::coordinator::store {

inline core::JobRequest SampleRequest(uint64_t id) {
  return {.name = "train-" + std::to_string(id % 3),
          .labels = {{"team", "vision"}, {"parity", id % 2 == 0 ? "even" : "odd"}},
          .workers = 2,
          .cpus = 3,
          .gpus = 1,
          .memory_bytes = int64_t{8} << 30,
          .node_selector = {{"rack", "r1"}, {"zone", "a"}},
          .gpu_kinds = {"H200", "H100"},
          .within = core::Within::kRack,
          .queue = "research",
          .priority = -7,
          .min_workers = 1,
          .max_workers = 4,
          .batch = 128,
          .max_batch = 2048,
          .expected_time = base::seconds(3600),
          .end_when_preempted = true,
          .own_program = true,
          .code = "sha256:0123",
          .max_attempts = 4,
          .time_limit = base::seconds(7200),
          .grace = base::seconds(20),
          .keep_checkpoints = 5,
          .store = "s3://bucket/prefix",
          .local_store = true,
          .resume_from = {{core::CheckpointId(9), "file:///ckpt/old", "00ff"}},
          .resume_node = core::NodeId("n-old")};
}

inline core::JobRow SampleJob(uint64_t id, core::JobState state = core::JobState::kPending) {
  core::JobRow row;
  row.id = core::JobId(id);
  row.request = SampleRequest(id);
  row.spec_yaml = "kind: TrainingJob # \"quoted\"\n";
  row.idempotency_key = "key-" + std::to_string(id);
  row.request_digest = "digest-" + std::to_string(id);
  row.submitted_by = "ada";
  row.state = state;
  row.reason = "needs 4 CPU slots";
  row.cause = core::Cause::kUser;
  row.kind = protocol::FailureKind::kData;
  row.check = core::CheckState::kPassed;
  row.submitted = base::WallTime{1'000'000 * static_cast<int64_t>(id)};
  row.started = row.submitted + base::seconds(1);
  if (core::IsFinal(state)) row.ended = row.submitted + base::seconds(2);
  row.attempt = core::Attempt(2);
  row.failures = 1;
  row.generation = core::Generation(7);
  row.preemptions = 3;
  row.resizes = 2;
  row.ran = base::seconds(90);
  row.slot_time = base::seconds(180);
  row.cancel_requested = true;
  row.cancel_reason = "no longer needed";
  row.resume_uri = "file:///ckpt/old";
  row.allow_uncommitted = true;
  row.model_uri = "s3://bucket/model";
  core::Exit exit;
  exit.rank = 1;
  exit.node = core::NodeId("node-a");
  exit.record.code = 3;
  exit.record.oom_killed = true;
  exit.record.ended = base::WallTime{5};
  exit.record.last_log = "Segmentation fault\n\t\"at\" line 3";
  exit.record.note = "core dumped";
  row.exit = exit;
  core::LastProgress last{.progress = {}, .at = base::WallTime{6}};
  last.progress.generation = core::Generation(7);
  last.progress.step = 96;
  last.progress.phase = protocol::Phase::kDone;
  last.progress.epoch = 2;
  last.progress.epochs = 3;
  last.progress.total_steps = 97;
  last.progress.position = 6144;
  last.progress.loss = 0.25;
  last.progress.samples_per_second = 1e4;
  last.progress.remaining_ms = 40;
  last.progress.has_eval = true;
  last.progress.eval_loss = 0.5;
  last.progress.eval_accuracy = 0.96875;
  last.progress.waiting_for = "the store";
  last.progress.global_batch = 256;
  last.progress.gradient_noise = 1234.5;
  last.progress.at_once = 8;
  row.last_progress = last;
  row.speed = {{{1, 2, 128, 0.25}, {2, 4, 256, 0.375}}, 1200.25};
  return row;
}

inline core::AttemptRow SampleAttempt(uint64_t job, uint64_t number) {
  core::AttemptRow row;
  row.job = core::JobId(job);
  row.number = core::Attempt(number);
  row.workers = 4;
  row.started = base::WallTime{10};
  row.ended = base::WallTime{20};
  row.cause = core::Cause::kInfrastructure;
  row.reason = "node-a lost";
  row.exit = SampleJob(job).exit;
  row.resumed_uri = "file:///ckpt/c1";
  row.resumed = core::CheckpointId(1);
  row.resumed_position = 6400;
  row.last_step = 77;
  row.user_error = true;
  row.kind = protocol::FailureKind::kLostPeer;
  return row;
}

inline core::RankRow SampleRank(uint64_t job, uint64_t attempt, core::Rank rank) {
  core::RankRow row;
  row.key = {core::JobId(job), core::Attempt(attempt), rank};
  row.node = core::NodeId("node-a");
  row.incarnation = core::Incarnation(0xfedcba9876543210);  // above what a signed number holds
  row.local_rank = rank;
  row.cpus = 2;
  row.gpu_uuids = {"GPU-1", "GPU-2"};
  row.state = protocol::RankState::kRunning;
  row.stop_requested = true;
  row.finished = true;
  row.pid = 4711;
  return row;
}

inline core::GenerationRow SampleGeneration(uint64_t job, uint64_t generation) {
  core::GenerationRow row;
  row.job = core::JobId(job);
  row.generation = core::Generation(generation);
  row.attempt = core::Attempt(2);
  row.members = {{0, core::Incarnation(5), "10.0.0.1:29511"}, {1, core::Incarnation(6), "[::1]:1"}};
  row.made = base::WallTime{100};
  row.formed = base::WallTime{200};
  row.batch = 256;
  return row;
}

inline core::CheckpointRow SampleCheckpoint(uint64_t id, uint64_t job,
                                            core::CheckpointState state) {
  core::CheckpointRow row;
  row.id = core::CheckpointId(id);
  row.job = core::JobId(job);
  row.generation = core::Generation(7);
  row.state = state;
  row.step = 500;
  row.position = 64000;
  row.uri = "s3://bucket/c/j1/step-500";
  row.manifest_hash = "0123456789abcdef";
  row.bytes = uint64_t{1} << 40;
  row.shards = 2;
  row.final = true;
  row.best = true;
  row.metric = 0.1;
  row.node = core::NodeId("node-b");
  row.opened = base::WallTime{1};
  row.committed = base::WallTime{2};
  row.verified = base::WallTime{3};
  row.reason = "shard 1: hash differs";
  return row;
}

inline core::UsageRow SampleUsage(const std::string& user) {
  return {
      .queue = "research", .user = user, .amount = int64_t{1} << 50, .as_of = base::WallTime{9}};
}

inline core::NodeRow SampleNode(const std::string& id) {
  core::NodeRow row;
  row.id = core::NodeId(id);
  row.name = "host-" + id;
  row.draining = true;
  row.cordoned = true;
  row.drain_reason = "new kernel";
  row.drain_by = base::WallTime{77};
  row.inventory = {.name = "host",
                   .address = "10.0.0.7",
                   .cpu_slots = 6,
                   .memory_bytes = int64_t{64} << 30,
                   .gpus = {{"GPU-1", "H200", 0, int64_t{141} << 30, false, "Xid 79"}},
                   .gpu_note = "",
                   .labels = {{"rack", "r1"}},
                   .version = "0.1.0",
                   .boot_id = "b",
                   .conditions = {"disk 97 % full: /data"},
                   .why_no_work = "unable to write its data directory /data: No space left"};
  row.first_seen = base::WallTime{42};
  return row;
}

inline core::EventRow SampleEvent(uint64_t seq, uint64_t job) {
  core::EventRow row;
  row.seq = core::EventSeq(seq);
  row.time = base::WallTime{static_cast<int64_t>(seq) * 1'000'000};
  row.job = core::JobId(job);
  row.node = core::NodeId("node-a");
  row.kind = "JobSubmitted";
  row.text = "submitted by ada";
  row.severity = "warning";
  row.attempt = core::Attempt(1);
  row.generation = core::Generation(2);
  return row;
}

}  // namespace coxswain::coordinator::store
