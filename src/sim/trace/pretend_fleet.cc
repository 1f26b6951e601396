#include "sim/trace/pretend_fleet.h"

namespace coxswain::sim::trace {

void PretendFleet::Join(const std::string& name, uint32_t cpus, uint32_t gpus) {
  Vanish(name);
  Node& node = nodes_[name];
  core::SessionId session = node.session = core::SessionId(++sessions_);
  node.worker = std::make_unique<PretendWorker>(
      PretendWorker::InventoryOf(name, cpus, gpus), [this, session](protocol::WorkerReport report) {
        post_(core::WorkerReported{session, std::move(report)});
      });
  by_session_[session] = node.worker.get();
  post_(core::WorkerConnected{session,
                              node.worker->Hello(base::Incarnation(sessions_), base::Term())});
}

void PretendFleet::Vanish(const std::string& name) {
  auto node = nodes_.find(name);
  if (node == nodes_.end()) return;
  post_(core::WorkerDisconnected{node->second.session, "the machine was taken away"});
  by_session_.erase(node->second.session);
  nodes_.erase(node);
}

void PretendFleet::Do(const core::Action& action) {
  auto worker = by_session_.find(action.session);
  if (worker != by_session_.end()) worker->second->Do(action.order);
}

void PretendFleet::Heartbeat() {
  for (const auto& [name, node] : nodes_) {
    post_(core::WorkerReported{node.session, protocol::Heartbeat{}});
  }
}

void PretendFleet::TellProgress(core::JobId job, const protocol::TrainerProgress& report) {
  for (auto& [name, node] : nodes_) node.worker->TellProgress(job, report);
}

void PretendFleet::Finish(core::JobId job) {
  for (auto& [name, node] : nodes_) node.worker->Finish(job);
}

std::set<core::JobId> PretendFleet::JobsOn(const std::string& name) const {
  std::set<core::JobId> jobs;
  auto node = nodes_.find(name);
  if (node == nodes_.end()) return jobs;
  for (const auto& [key, rank] : node->second.worker->ranks()) jobs.insert(key.job);
  return jobs;
}

std::vector<int> PretendFleet::SharesOf(core::JobId job) const {
  std::vector<int> shares;
  for (const auto& [name, node] : nodes_) {
    int count = 0;
    for (const auto& [key, rank] : node.worker->ranks()) count += key.job == job ? 1 : 0;
    if (count > 0) shares.push_back(count);
  }
  return shares;
}

}  // namespace coxswain::sim::trace
