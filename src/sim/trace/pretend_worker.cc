#include "sim/trace/pretend_worker.h"

#include "common/base/version.h"

namespace coxswain::sim::trace {

PretendWorker::PretendWorker(protocol::Inventory inventory, Post post)
    : inventory_(std::move(inventory)), post_(std::move(post)) {}

protocol::Inventory PretendWorker::InventoryOf(const std::string& name, uint32_t cpus,
                                               uint32_t gpus) {
  protocol::Inventory inventory;
  inventory.name = name;
  inventory.address = name + ".pretend";
  inventory.cpu_slots = cpus;
  inventory.memory_bytes = int64_t{1} << 40;
  inventory.version = base::kVersion;
  for (uint32_t i = 0; i < gpus; ++i) {
    inventory.gpus.push_back({.uuid = name + "-" + std::to_string(i),
                              .name = "pretend",
                              .index = i,
                              .memory_bytes = 0,
                              .available = true,
                              .why_not = ""});
  }
  return inventory;
}

void PretendWorker::Do(const protocol::WorkerOrder& order) {
  std::visit([this](const auto& each) { On(each); }, order);
}

void PretendWorker::Finish(base::JobId job) {
  for (auto& [key, rank] : ranks_) {
    if (key.job != job) continue;
    rank.finished = true;
    TellFinished(key, rank);
  }
}

void PretendWorker::Finish(const protocol::RankKey& key, base::Generation generation) {
  auto rank = ranks_.find(key);
  if (rank == ranks_.end() || rank->second.generation != generation) return;
  rank->second.finished = true;
  TellFinished(key, rank->second);
}

protocol::WorkerHello PretendWorker::Hello(base::Incarnation incarnation,
                                           base::Term highest) const {
  protocol::WorkerHello hello;
  hello.node = base::NodeId(inventory_.name);
  hello.incarnation = incarnation;
  hello.highest_term = highest;
  hello.protocol_oldest = base::kProtocolOldest;
  hello.protocol_newest = base::kProtocolNewest;
  hello.inventory = inventory_;
  for (const auto& [key, rank] : ranks_) {
    protocol::RankReport report{.key = key, .incarnation = rank.incarnation, .pid = 1};
    report.state = rank.generation ? protocol::RankState::kRunning : protocol::RankState::kReady;
    report.ready = protocol::TrainerReady{inventory_.address + ":1", rank.generation};
    hello.ranks.push_back(std::move(report));
  }
  for (const auto& [key, exited] : exits_) {
    hello.ranks.push_back({.key = key,
                           .incarnation = exited.incarnation,
                           .state = protocol::RankState::kExited,
                           .pid = 1,
                           .exit = exited.record,
                           .ready = std::nullopt});
  }
  return hello;
}

void PretendWorker::Repeat() {
  for (auto& [key, exited] : exits_) {
    if (exited.waited++ > 0) {
      post_(protocol::RankExited{key, exited.incarnation, exited.record});
    }
  }
  for (const auto& [key, rank] : ranks_) {
    if (rank.finished) {
      TellFinished(key, rank);
    } else if (!rank.generation) {
      TellReady(key, rank);
    }
  }
}

void PretendWorker::TakeWork() {
  inventory_.why_no_work.clear();
  for (protocol::GpuInfo& gpu : inventory_.gpus) {
    gpu.available = true;
    gpu.why_not.clear();
  }
  post_(protocol::Heartbeat{inventory_});
}

void PretendWorker::TellProgress(int64_t step) {
  for (const auto& [key, rank] : ranks_) {
    if (!rank.generation || rank.finished) continue;
    protocol::TrainerProgress progress{.generation = rank.generation, .step = step};
    progress.phase = protocol::Phase::kForward;
    Tell(key, rank, std::move(progress));
  }
}

void PretendWorker::TellProgress(base::JobId job, protocol::TrainerProgress report) {
  constexpr int64_t kStepsAReport = 100;
  auto found = ranks_.lower_bound({job, base::Attempt(0), 0});
  if (found == ranks_.end() || found->first.job != job || found->first.rank != 0) return;
  Rank& rank = found->second;
  if (!rank.generation || rank.finished) return;
  report.generation = rank.generation;
  report.phase = protocol::Phase::kForward;
  report.step = rank.steps += kStepsAReport;
  Tell(found->first, rank, std::move(report));
}

void PretendWorker::Tell(const protocol::RankKey& key, const Rank& rank,
                         protocol::TrainerReport report) {
  post_(protocol::FromTrainer{key, rank.incarnation, std::move(report)});
}

void PretendWorker::TellReady(const protocol::RankKey& key, const Rank& rank) {
  Tell(key, rank, protocol::TrainerReady{inventory_.address + ":1", {}});
}

void PretendWorker::TellFinished(const protocol::RankKey& key, const Rank& rank) {
  protocol::TrainingFinished end{.generation = rank.generation, .step = 1, .position = 1};
  if (key.rank == 0) end.model_uri = "pretend://model";
  Tell(key, rank, std::move(end));
}

void PretendWorker::Exit(const protocol::RankKey& key, int code) {
  auto rank = ranks_.find(key);
  if (rank == ranks_.end()) return;
  protocol::ExitRecord record{.code = code};
  record.stopped_by_us = code == protocol::kExitStopped;
  base::Incarnation incarnation = rank->second.incarnation;
  ranks_.erase(rank);
  exits_[key] = {incarnation, record, 0};
  post_(protocol::RankExited{key, incarnation, std::move(record)});
}

void PretendWorker::On(const protocol::StartRank& order) {
  if (ranks_.contains(order.key) || exits_.contains(order.key)) return;
  const Rank& rank = ranks_[order.key] = {order.incarnation, {}, false, 0};
  post_(protocol::RankStarted{order.key, order.incarnation, 1});
  TellReady(order.key, rank);
}

void PretendWorker::On(const protocol::StopRank& order) { Exit(order.key, protocol::kExitStopped); }

void PretendWorker::On(const protocol::ToTrainer& order) {
  auto rank = ranks_.find(order.key);
  if (rank == ranks_.end()) return;
  if (const auto* form = std::get_if<protocol::FormGeneration>(&order.order)) {
    rank->second.generation = form->generation;
    Tell(order.key, rank->second, protocol::GenerationFormed{.generation = form->generation});
  } else if (std::holds_alternative<protocol::StopTraining>(order.order)) {
    // Its application goes on where it was: there is nothing to save.
    Tell(order.key, rank->second,
         protocol::TrainingFinished{.generation = rank->second.generation, .stopped = true});
    Exit(order.key, protocol::kExitStopped);
  } else if (std::holds_alternative<protocol::FinishAcknowledged>(order.order)) {
    Exit(order.key, protocol::kExitOk);
  }
}

void PretendWorker::On(const protocol::StartTask& order) {
  post_(protocol::TaskEnded{.task = order.task, .ok = true});
}

}  // namespace coxswain::sim::trace
