#include "tests/property/coordinator/random_fleet.h"

namespace coxswain::fakes {

namespace core = coordinator::core;

void RandomFleet::Step() {
  restarted_ = false;
  if (rng_.Below(100) < kindness_) return Advance();
  uint64_t dice = rng_.Below(100);
  if (dice < 8) return Submit();
  if (dice < 16) return Hello();
  if (dice < 19) return Bye();
  if (dice < 30) return EndTask();
  if (dice < 32) {
    world_->Decide(
        core::CancelRequested{core::CallId(++next_call_), AnyJob(), "", rng_.Below(2) == 0});
    return;
  }
  if (dice < 34) {
    std::string node(1, static_cast<char>('a' + rng_.Below(4)));
    base::WallTime by;
    if (rng_.Below(2) == 0)
      by = world_->Wall() + base::seconds(static_cast<int64_t>(rng_.Below(90)));
    world_->Decide(core::DrainRequested{core::CallId(++next_call_), base::NodeId(node), "",
                                        rng_.Below(2) == 0, by});
    return;
  }
  if (dice < 42) {
    world_->PassUntil(world_->now() +
                      base::milliseconds(rng_.Below(rng_.Below(5) == 0 ? 40'000 : 2'000)));
    return;
  }
  if (dice < 43) {
    world_->Restart();
    sessions_.clear();
    restarted_ = true;
    return;
  }
  RankReport();
}

void RandomFleet::Send(const base::NodeId& node, protocol::WorkerReport report) {
  auto session = sessions_.find(node.value);
  if (session == sessions_.end()) return;
  world_->Decide(core::WorkerReported{session->second, std::move(report)});
}

base::JobId RandomFleet::AnyJob() {
  return base::JobId(1 + rng_.Below(world_->store().cluster().last_job.value + 1));
}

const core::RankRow* RandomFleet::AnyRank() {
  const auto& ranks = world_->store().ranks();
  if (ranks.empty()) return nullptr;
  // Late ones more often: they are the living.
  uint64_t back = std::min(rng_.Below(ranks.size()), rng_.Below(ranks.size()));
  return &std::prev(ranks.end(), static_cast<int64_t>(back) + 1)->second;
}

void RandomFleet::Advance() {
  const core::RankRow* found = AnyRank();
  if (found == nullptr || rng_.Below(3) == 0) return rng_.Below(2) == 0 ? EndTask() : Hello();
  protocol::RankKey key = found->key;
  key.attempt = world_->store().jobs().at(key.job).attempt;
  for (key.rank = 0;; ++key.rank) {
    auto rank = world_->store().ranks().find(key);
    if (rank == world_->store().ranks().end()) return;
    if (!rank->second.exit) AdvanceRank(core::RankRow(rank->second));
  }
}

void RandomFleet::AdvanceRank(const core::RankRow& rank) {
  auto tell = [&](protocol::TrainerReport report) {
    Send(rank.node, protocol::FromTrainer{rank.key, rank.incarnation, std::move(report)});
  };
  base::Generation generation = world_->store().jobs().at(rank.key.job).generation;
  if (rank.stop_requested || rank.finished) {
    return Send(rank.node, protocol::RankExited{
                               rank.key, rank.incarnation, {.stopped_by_us = rank.stop_requested}});
  }
  if (rank.pid == 0) return Send(rank.node, protocol::RankStarted{rank.key, rank.incarnation, 7});
  if (rank.state == protocol::RankState::kStarting)
    return tell(protocol::TrainerReady{"10.0.0.1:2", {}});
  if (rank.state == protocol::RankState::kReady) {
    return tell(protocol::GenerationFormed{.generation = generation});
  }
  base::CheckpointId open;
  for (const auto& [id, row] : world_->store().checkpoints()) {
    if (row.job == rank.key.job && row.state == core::CheckpointState::kOpen) open = id;
  }
  if (open && rng_.Below(3) == 0)
    return tell(protocol::ManifestWritten{open, generation, "00ff", 9, 1});
  if (open) return tell(protocol::ShardStored{open, generation, {.rank = rank.key.rank}});
  if (rng_.Below(4) != 0) {
    return tell(
        protocol::OpenCheckpoint{generation, static_cast<int64_t>(rng_.Below(500)), 0, false});
  }
  tell(protocol::TrainingFinished{generation, 500, 0, "m", false});
}

void RandomFleet::Submit() {
  core::JobSubmitted event;
  event.call = core::CallId(++next_call_);
  event.request.name = "train";
  event.request.workers = static_cast<uint32_t>(1 + rng_.Below(3));
  event.request.cpus = static_cast<uint32_t>(1 + rng_.Below(2));
  event.request.gpus = static_cast<uint32_t>(rng_.Below(2));
  event.request.memory_bytes = static_cast<int64_t>(rng_.Below(3)) << 30;
  event.request.keep_checkpoints = 1;
  if (rng_.Below(4) == 0)
    event.request.node_selector = {{"rack", rng_.Below(2) == 0 ? "r0" : "r1"}};
  if (event.request.gpus > 0 && rng_.Below(2) == 0) event.request.gpu_kinds = {"h200", "A100"};
  event.request.within = static_cast<core::Within>(rng_.Below(3));
  event.request.local_store = rng_.Below(3) == 0;
  event.request.time_limit = base::seconds(rng_.Below(4) == 0 ? 20 : 0);
  event.idempotency_key = rng_.Below(3) == 0 ? "k" + std::to_string(rng_.Below(5)) : "";
  event.request_digest = "d";
  event.dry_run = rng_.Below(10) == 0;
  if (!world_->settings().scheduling.queues.empty()) {
    event.request.queue = rng_.Below(2) == 0 ? "x" : "y";
  }
  event.request.priority = static_cast<int32_t>(rng_.Below(3));
  event.request.expected_time = base::seconds(rng_.Below(2) == 0 ? 0 : 30);
  event.request.end_when_preempted = rng_.Below(5) == 0;
  event.submitted_by = rng_.Below(2) == 0 ? "ann" : "bob";
  world_->Decide(std::move(event));
}

void RandomFleet::Hello() {
  std::string name(1, static_cast<char>('a' + rng_.Below(4)));
  protocol::WorkerHello hello;
  hello.node = base::NodeId(name);
  hello.incarnation = base::Incarnation(1 + rng_.Below(10) / 9);
  hello.highest_term = base::Term(rng_.Below(30) == 0 ? 50 : 0);
  hello.protocol_oldest = hello.protocol_newest = 1;
  hello.inventory.name = name;
  hello.inventory.cpu_slots = 4;
  hello.inventory.memory_bytes = int64_t{4} << 30;
  hello.inventory.labels = {{"rack", name < "c" ? "r0" : "r1"}};
  for (int i = 0; i < 2; ++i) {
    hello.inventory.gpus.push_back({.uuid = "GPU-" + name + std::to_string(i)});
  }
  for (const auto& [key, row] : world_->store().ranks()) {
    if (row.node != hello.node || row.exit || rng_.Below(8) == 0) continue;
    protocol::RankReport report{.key = key, .incarnation = row.incarnation, .pid = 7};
    if (rng_.Below(2) == 0) report.ready = protocol::TrainerReady{"10.0.0.1:1", {}};
    if (rng_.Below(8) == 0) report.exit = protocol::ExitRecord{.signal = 9};
    hello.ranks.push_back(report);
  }
  if (rng_.Below(10) == 0) {
    hello.ranks.push_back(
        {.key = {AnyJob(), base::Attempt(1), 0}, .incarnation = base::Incarnation(9)});
  }
  core::SessionId session(++next_session_);
  core::Decisions decisions = world_->Decide(core::WorkerConnected{session, std::move(hello)});
  for (const core::Action& action : decisions.send) {
    if (std::holds_alternative<protocol::Rejected>(action.order)) return;
  }
  sessions_[name] = session;
}

void RandomFleet::Bye() {
  if (sessions_.empty()) return;
  auto session = std::next(sessions_.begin(), static_cast<int64_t>(rng_.Below(sessions_.size())));
  if (rng_.Below(3) == 0) Send(base::NodeId(session->first), protocol::Leaving{});
  world_->Decide(core::WorkerDisconnected{session->second, "closed"});
  sessions_.erase(session);
}

void RandomFleet::EndTask() {
  protocol::TaskEnded end;
  end.task = base::TaskId(world_->store().cluster().last_task.value -
                          std::min(world_->store().cluster().last_task.value, rng_.Below(3)));
  end.ok = rng_.Below(4) != 0;
  end.user_error = rng_.Below(2) == 0;
  end.error = "something is wrong";
  if (!sessions_.empty()) Send(base::NodeId(sessions_.begin()->first), end);
}

void RandomFleet::RankReport() {
  const core::RankRow* found = AnyRank();
  if (found == nullptr) return;
  const core::RankRow rank = *found;
  uint64_t dice = rng_.Below(20);
  if (dice < 4) return Send(rank.node, protocol::RankStarted{rank.key, rank.incarnation, 7});
  if (dice < 6) return Exit(rank);
  if (dice < 13) return CheckpointReport(rank);
  TrainerReport(rank);
}

void RandomFleet::Exit(const core::RankRow& rank) {
  static constexpr int kCodes[] = {0, 0, 1, 10, 11, 12, 13};
  protocol::ExitRecord exit;
  exit.code = kCodes[rng_.Below(7)];
  if (rng_.Below(4) == 0) exit.signal = 9;
  exit.stopped_by_us = rank.stop_requested;
  Send(rank.node, protocol::RankExited{rank.key, rank.incarnation, exit});
}

void RandomFleet::TrainerReport(const core::RankRow& rank) {
  base::Generation generation(world_->store().jobs().at(rank.key.job).generation);
  if (rng_.Below(8) == 0 && generation.value > 0)
    generation = base::Generation(generation.value - 1);
  protocol::TrainerReport report = protocol::TrainerReady{"10.0.0.1:2", {}};
  int64_t step = static_cast<int64_t>(rng_.Below(50));
  switch (rng_.Below(7)) {
    case 0:
    case 1:
      break;
    case 2:
    case 3:
      report = protocol::GenerationFormed{.generation = generation, .step = step};
      break;
    case 4:
      report = protocol::TrainerProgress{
          .generation = generation, .step = step, .phase = protocol::Phase::kForward};
      break;
    case 5:
      report = protocol::CollectiveFailed{generation, step, "closed"};
      break;
    default:
      report = protocol::TrainingFinished{generation, step, 0, "m", rng_.Below(6) == 0};
      if (rng_.Below(8) == 0) report = protocol::TrainingFailed{"bad data", rng_.Below(2) == 0};
  }
  Send(rank.node, protocol::FromTrainer{rank.key, rank.incarnation, report});
}

void RandomFleet::CheckpointReport(const core::RankRow& rank) {
  base::Generation generation = world_->store().jobs().at(rank.key.job).generation;
  if (rng_.Below(8) == 0 && generation.value > 0)
    generation = base::Generation(generation.value - 1);
  base::CheckpointId newest = world_->store().cluster().last_checkpoint;
  for (const auto& [id, row] : world_->store().checkpoints()) {
    if (row.job == rank.key.job) newest = id;
  }
  protocol::TrainerReport report =
      protocol::ShardStored{newest, generation, {.rank = rank.key.rank}};
  switch (rng_.Below(6)) {
    case 0:
      report = protocol::OpenCheckpoint{generation, static_cast<int64_t>(rng_.Below(9)), 0,
                                        rng_.Below(9) == 0};
      break;
    case 1:
      report = protocol::ManifestWritten{newest, generation, "00ff", 9, 1};
      break;
    case 2:
      if (rng_.Below(3) == 0) report = protocol::CheckpointFailed{newest, 1, generation, "full"};
      break;
    default:
      break;
  }
  Send(rank.node, protocol::FromTrainer{rank.key, rank.incarnation, report});
}

}  // namespace coxswain::fakes
