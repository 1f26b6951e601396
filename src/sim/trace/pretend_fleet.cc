#include "sim/trace/pretend_fleet.h"

#include "common/base/version.h"

namespace coxswain::sim::trace {

void PretendFleet::Join(const std::string& name, uint32_t cpus, uint32_t gpus) {
  Node& node = nodes_[name] = {};
  node.session = core::SessionId(++sessions_);
  node.inventory.name = name;
  node.inventory.address = name + ".pretend";
  node.inventory.cpu_slots = cpus;
  node.inventory.memory_bytes = int64_t{1} << 40;
  node.inventory.version = base::kVersion;
  for (uint32_t i = 0; i < gpus; ++i) {
    node.inventory.gpus.push_back(
        {.uuid = name + "-" + std::to_string(i), .name = "pretend", .index = i});
  }
  protocol::WorkerHello hello;
  hello.node = base::NodeId(name);
  hello.incarnation = base::Incarnation(sessions_);
  hello.protocol_oldest = base::kProtocolOldest;
  hello.protocol_newest = base::kProtocolNewest;
  hello.inventory = node.inventory;
  post_(core::WorkerConnected{node.session, std::move(hello)});
}

void PretendFleet::Vanish(const std::string& name) {
  auto node = nodes_.find(name);
  if (node == nodes_.end()) return;
  post_(core::WorkerDisconnected{node->second.session, "the machine was taken away"});
  nodes_.erase(node);
}

void PretendFleet::Do(const core::Action& action) {
  for (auto& [name, node] : nodes_) {
    if (node.session != action.session) continue;
    std::visit([&, &to = node](const auto& order) { On(to, order); }, action.order);
    return;
  }
}

void PretendFleet::Heartbeat() {
  for (const auto& [name, node] : nodes_) Report(node, protocol::Heartbeat{});
}

void PretendFleet::Finish(core::JobId job) {
  for (auto& [name, node] : nodes_) {
    for (const auto& [key, rank] : node.ranks) {
      if (key.job != job) continue;
      protocol::TrainingFinished end{.generation = rank.generation, .step = 1, .position = 1};
      if (key.rank == 0) end.model_uri = "pretend://model";
      Tell(node, key, std::move(end));
    }
  }
}

std::set<core::JobId> PretendFleet::JobsOn(const std::string& name) const {
  std::set<core::JobId> jobs;
  auto node = nodes_.find(name);
  if (node == nodes_.end()) return jobs;
  for (const auto& [key, rank] : node->second.ranks) jobs.insert(key.job);
  return jobs;
}

std::vector<int> PretendFleet::SharesOf(core::JobId job) const {
  std::vector<int> shares;
  for (const auto& [name, node] : nodes_) {
    int count = 0;
    for (const auto& [key, rank] : node.ranks) count += key.job == job ? 1 : 0;
    if (count > 0) shares.push_back(count);
  }
  return shares;
}

void PretendFleet::Report(const Node& node, protocol::WorkerReport report) {
  post_(core::WorkerReported{node.session, std::move(report)});
}

void PretendFleet::Tell(const Node& node, const protocol::RankKey& key,
                        protocol::TrainerReport report) {
  Report(node, protocol::FromTrainer{key, node.ranks.at(key).incarnation, std::move(report)});
}

void PretendFleet::Exit(Node& node, const protocol::RankKey& key, int code) {
  auto rank = node.ranks.find(key);
  if (rank == node.ranks.end()) return;
  protocol::ExitRecord record{.code = code};
  record.stopped_by_us = code == protocol::kExitStopped;
  base::Incarnation incarnation = rank->second.incarnation;
  node.ranks.erase(rank);
  Report(node, protocol::RankExited{key, incarnation, std::move(record)});
}

void PretendFleet::On(Node& node, const protocol::StartRank& order) {
  if (node.ranks.contains(order.key)) return;
  node.ranks[order.key] = {order.incarnation, {}};
  Report(node, protocol::RankStarted{order.key, order.incarnation, 1});
  Tell(node, order.key, protocol::TrainerReady{node.inventory.address + ":1", {}});
}

void PretendFleet::On(Node& node, const protocol::StopRank& order) {
  Exit(node, order.key, protocol::kExitStopped);
}

void PretendFleet::On(Node& node, const protocol::ToTrainer& order) {
  auto rank = node.ranks.find(order.key);
  if (rank == node.ranks.end()) return;
  if (const auto* form = std::get_if<protocol::FormGeneration>(&order.order)) {
    rank->second.generation = form->generation;
    Tell(node, order.key, protocol::GenerationFormed{.generation = form->generation});
  } else if (std::holds_alternative<protocol::StopTraining>(order.order)) {
    Exit(node, order.key, protocol::kExitStopped);
  } else if (std::holds_alternative<protocol::FinishAcknowledged>(order.order)) {
    Exit(node, order.key, protocol::kExitOk);
  }
}

void PretendFleet::On(Node& node, const protocol::StartTask& order) {
  Report(node, protocol::TaskEnded{.task = order.task, .ok = true});
}

}  // namespace coxswain::sim::trace
