#include "fake_api.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "common/base/clock.h"
#include "coordinator/http/pages.h"

namespace coxswain::coordinator::http {

using core::JobState;

FakeApi::FakeApi() : now(base::WallNow()) {
  AddJob(15, "llama-eval-nightly", JobState::kPending,
         "needs 8 CPU slots on one node; most free is 2 of 8 (node-a)");
  AddRunning();
  AddTroubled();
  runtime::JobView& done = AddJob(10, "fashion-cnn", JobState::kCompleted, "");
  done.record.job.ended = now + (-base::seconds(4000));
  done.record.job.model_uri = "s3://models/fashion-cnn/j10";
  AddNodes();
  AddQueues();
  AddHistory();
  status.version = "0.1.0";
  status.cluster = core::ClusterId("9f81c2d4a7e0b355");
  status.term = core::Term(4);
  status.ready = true;
  status.started = now + (-base::seconds(93784));
  status.worker_address = "10.0.0.1:7071";
  status.last_event = core::EventSeq(6);
}

runtime::JobView& FakeApi::AddJob(uint64_t id, const std::string& name, JobState state,
                                  const std::string& reason) {
  runtime::JobView& view = jobs.emplace_back();
  core::JobRow& row = view.record.job;
  row.id = core::JobId(id);
  row.request.name = name;
  row.request.workers = 2;
  row.request.cpus = 2;
  row.state = state;
  row.reason = reason;
  row.submitted = now + (-base::seconds(5400));
  if (state != JobState::kPending) {
    row.started = row.submitted + base::seconds(2);
    row.attempt = core::Attempt(1);
  }
  row.submitted_by = "ada";
  view.live.id = row.id;
  view.masked_yaml = "kind: TrainingJob\nspec:\n  env: {API_KEY: \"***\"}\n";
  return view;
}

void FakeApi::AddRunning() {
  runtime::JobView& view = AddJob(14, "fashion-resnet", JobState::kRunning, "");
  view.record.job.request.labels = {{"team", "vision"}};
  protocol::TrainerProgress p;
  p.step = 1180;
  p.total_steps = 2345;
  p.epoch = 2;
  p.epochs = 5;
  p.loss = 0.3127;
  p.samples_per_second = 18234;
  p.remaining_ms = 83'000;
  p.has_eval = true;
  p.eval_accuracy = 0.8931;
  p.eval_loss = 0.3302;
  p.phase = protocol::Phase::kAllReduce;
  view.live.progress = p;
  view.live.progress_at = now;
  view.live.expected_end = now + base::seconds(245);
  for (core::Rank rank : {0u, 1u}) {
    core::RankRow row;
    row.key = {core::JobId(14), core::Attempt(1), rank};
    row.node = core::NodeId("n-node-a");
    row.state = protocol::RankState::kRunning;
    row.pid = 4711 + rank;
    view.record.ranks.push_back(row);
    core::LiveRank live;
    live.rank = rank;
    live.phase = protocol::Phase::kAllReduce;
    live.step = 1180;
    view.live.ranks.push_back(live);
  }
  for (int64_t step = 1; step <= 1180; step += 4) {
    store::StoredPoint loss;
    loss.point = {"loss", 0,
                  step,   0.3 + 2.0 * std::exp(-step / 150.0) + 0.03 * std::sin(step * 1.7),
                  now,    core::Generation(1)};
    points.push_back(loss);
  }
  for (int64_t step : {469, 938}) {
    points.push_back(
        {{"eval.loss", -1, step, 0.5 - step * 2e-4, now, core::Generation(1)}, 1, false});
    points.push_back(
        {{"eval.accuracy", -1, step, 0.8 + step * 1e-4, now, core::Generation(1)}, 2, false});
  }
  core::CheckpointRow checkpoint;
  checkpoint.id = core::CheckpointId(31);
  checkpoint.job = core::JobId(14);
  checkpoint.state = core::CheckpointState::kVerified;
  checkpoint.step = 1000;
  checkpoint.bytes = 26 << 20;
  checkpoint.uri = "s3://ckpt/9f81c2d4a7e0b355/j14/step-00001000-g1-77ab12cd";
  checkpoint.committed = now + (-base::seconds(70));
  checkpoints.push_back(checkpoint);
  view.record.last_checkpoint = checkpoint;
  checkpoint.id = core::CheckpointId(29);
  checkpoint.step = 800;
  checkpoint.collect = true;  // no longer kept
  checkpoints.push_back(checkpoint);
}

void FakeApi::AddTroubled() {
  runtime::JobView& recovering = AddJob(13, "word-lm", JobState::kRecovering,
                                        "rank 1 ended with signal 9 on node-b; the next attempt "
                                        "resumes from c29 (step 640)");
  recovering.record.job.attempt = core::Attempt(2);
  recovering.live.conditions = {"node node-b is unreachable"};
  runtime::JobView& failed =
      AddJob(12, "tabular-mlp", JobState::kFailed,
             "rank 0 ended with exit code 10: the loss is not finite at step 212");
  failed.record.job.ended = now + (-base::seconds(1300));
  core::Exit exit;
  exit.node = core::NodeId("n-node-a");
  exit.record.code = 10;
  exit.record.last_log = "step 211 loss 87.2\nstep 212 loss nan\nerror: the loss is not finite";
  failed.record.job.exit = exit;
  failed.record.job.cause = core::Cause::kUser;
}

void FakeApi::AddNodes() {
  for (const char* name : {"node-a", "node-b"}) {
    runtime::NodeView& node = nodes.emplace_back();
    node.row.Edit().id = node.live.id = core::NodeId(std::string("n-") + name);
    node.row.Edit().name = name;
    node.row.Edit().inventory.address = "10.0.0.7";
    node.row.Edit().inventory.cpu_slots = 8;
    node.row.Edit().inventory.memory_bytes = int64_t{64} << 30;
    node.row.Edit().inventory.version = "0.1.0";
    node.row.Edit().inventory.gpu_note = "libnvidia-ml.so.1 not found";
    node.row.Edit().first_seen = now + (-base::seconds(900000));
    node.live.reachable = node.row.Edit().name == "node-a";
    node.live.last_heartbeat = now + (-base::seconds(node.live.reachable ? 1 : 47));
    node.live.cpu_slots_free = node.live.reachable ? 4 : 8;
  }
  nodes[0].live.jobs = {core::JobId(14)};
  nodes[0].row.Edit().inventory.gpus = {
      {"GPU-5f0c", "NVIDIA H200", 0, int64_t{141} << 30, true, ""},
      {"GPU-91aa", "NVIDIA H200", 1, int64_t{141} << 30, false, "Xid 79"}};
  nodes[0].live.gpu_jobs["GPU-5f0c"] = core::JobId(14);
  nodes[1].row.Edit().inventory.conditions = {"disk 97 % full: /data"};
}

void FakeApi::AddQueues() {
  queues.policy = "fair";
  queues.default_queue = "students";
  queues.warnings = {
      "the quotas sum up to 24 GPUs, the fleet has 2: not all of them can be kept at once"};
  auto add = [&](const char* name, const char* parent, int64_t quota, int64_t held) -> auto& {
    core::LiveQueue& queue = queues.queues.emplace_back();
    queue.settings.name = name;
    queue.settings.parent = parent;
    queue.settings.quota = {.cpus = std::nullopt, .gpus = quota};
    queue.held = {.cpus = held * 4, .gpus = held};
    return queue;
  };
  add("science", "", 24, 3).running = 2;
  core::LiveQueue& research = add("research", "science", 16, 2);
  research.settings.weight = 2;
  research.running = 1;
  core::LiveQueue& students = add("students", "science", 0, 1);
  students.settings.limit = {.cpus = 64, .gpus = 12};
  students.settings.user_limit = {.cpus = std::nullopt, .gpus = 2};
  students.settings.user_jobs = 4;
  students.running = 1;
  students.pending = 1;
  students.users["ada@host"] = {
      .held = {.cpus = 4, .gpus = 1}, .running = 1, .used = 90, .share = 0.9};
  students.users["bob@host"] = {.held = {}, .running = 0, .used = 10, .share = 0.1};
  jobs.front().record.job.request.queue = "students";
  jobs.front().live.expected_start = now + base::seconds(1260);
}

void FakeApi::AddHistory() {
  struct {
    uint64_t job;
    const char *kind, *text, *severity;
  } const kEvents[] = {
      {14, "JobSubmitted", "'fashion-resnet' by ada", "info"},
      {14, "AttemptStarted", "2 ranks on node-a", "info"},
      {14, "CheckpointCommitted", "c31, step 1000, 26 MiB", "info"},
      {12, "JobFailed", "rank 0 ended with exit code 10: the loss is not finite at step 212",
       "error"},
      {0, "NodeUnreachable", "node-b: no heartbeat for 5 s", "warning"},
      {13, "AttemptEnded", "rank 1 ended with signal 9 on node-b", "warning"},
  };
  int seconds = 700;
  for (const auto& e : kEvents) {
    core::EventRow row;
    row.seq = core::EventSeq(events.size() + 1);
    row.job = core::JobId(e.job);
    row.kind = e.kind;
    row.text = e.text;
    row.severity = e.severity;
    row.time = now + (-base::seconds(seconds));
    seconds -= 110;
    events.push_back(row);
  }
}

absl::StatusOr<core::JobId> FakeApi::ResolveJob(const std::string& id_or_name) {
  for (const runtime::JobView& view : jobs) {
    const core::JobRow& row = view.record.job;
    if (base::ToString(row.id) == id_or_name || row.request.name == id_or_name) return row.id;
  }
  return absl::NotFoundError("no job " + id_or_name + ": `cox jobs` lists them");
}

absl::StatusOr<runtime::JobView> FakeApi::GetJob(core::JobId job) {
  for (const runtime::JobView& view : jobs) {
    if (view.record.job.id == job) return view;
  }
  return absl::NotFoundError("no job");
}

absl::StatusOr<std::vector<runtime::JobView>> FakeApi::ListJobs(const store::JobFilter& filter) {
  std::vector<runtime::JobView> out;
  for (const runtime::JobView& view : jobs) {
    const core::JobRow& row = view.record.job;
    bool of_state = filter.states.empty() ||
                    std::count(filter.states.begin(), filter.states.end(), row.state) > 0;
    bool older = !filter.before || row.id < filter.before;
    if (of_state && older && row.request.name.starts_with(filter.name_prefix) &&
        out.size() < filter.limit) {
      out.push_back(view);
    }
  }
  return out;
}

absl::StatusOr<std::vector<core::CheckpointRow>> FakeApi::ListCheckpoints(core::JobId job, bool) {
  std::vector<core::CheckpointRow> out;
  for (const core::CheckpointRow& row : checkpoints) {
    if (row.job == job) out.push_back(row);
  }
  return out;
}

absl::StatusOr<std::vector<core::EventRow>> FakeApi::ListEvents(core::JobId job,
                                                                core::EventSeq cursor, uint32_t) {
  std::vector<core::EventRow> out;
  for (const core::EventRow& row : events) {
    if (row.seq > cursor && (!job || row.job == job)) out.push_back(row);
  }
  return out;
}

absl::StatusOr<std::vector<core::EventRow>> FakeApi::ListNewestEvents(core::JobId job,
                                                                      uint32_t limit) {
  std::vector<core::EventRow> out = *ListEvents(job, {}, limit);
  if (out.size() > limit) out.erase(out.begin(), out.end() - limit);
  return out;
}

absl::StatusOr<std::vector<store::StoredPoint>> FakeApi::ReadMetrics(
    const store::MetricQuery& query) {
  if (query.job != core::JobId(14)) return std::vector<store::StoredPoint>();
  return points;
}

absl::StatusOr<std::map<core::JobState, uint64_t>> FakeApi::CountJobs() {
  std::map<core::JobState, uint64_t> counts;
  for (const runtime::JobView& view : jobs) ++counts[view.record.job.state];
  return counts;
}

std::string Overview(FakeApi& api) {
  auto page = OverviewPage(api);
  EXPECT_TRUE(page.ok()) << page.status();
  return page.ok() ? *page : "";
}

}  // namespace coxswain::coordinator::http
