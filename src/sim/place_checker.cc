#include "sim/place_checker.h"

#include <strings.h>

#include <algorithm>

namespace coxswain::sim {
namespace {

using core::Within;
using Labels = std::map<std::string, std::string>;

bool HasAll(const Labels& labels, const Labels& wanted) {
  return std::includes(labels.begin(), labels.end(), wanted.begin(), wanted.end());
}

std::string LabelOf(const Labels& labels, const std::string& key) {
  auto found = labels.find(key);
  return found == labels.end() ? "" : found->second;
}

bool IsKind(const std::string& gpu, const std::string& kind) {
  for (size_t at = 0; at + kind.size() <= gpu.size(); ++at) {
    if (strncasecmp(gpu.c_str() + at, kind.c_str(), kind.size()) == 0) return true;
  }
  return false;
}

// The kind of each GPU of the attempt; empty text: a GPU that its node does not have.
std::vector<std::string> KindsOf(const Rows& rows, const std::vector<const core::RankRow*>& ranks) {
  std::vector<std::string> kinds;
  for (const core::RankRow* rank : ranks) {
    for (const std::string& uuid : rank->gpu_uuids) {
      std::string& kind = kinds.emplace_back();
      for (const protocol::GpuInfo& gpu : rows.nodes.at(rank->node).inventory.gpus) {
        if (gpu.uuid == uuid) kind = gpu.name;
      }
    }
  }
  return kinds;
}

std::string WhyWrongKinds(const std::vector<std::string>& has, const core::JobRequest& request) {
  bool unknown = std::find(has.begin(), has.end(), "") != has.end();
  if (unknown) return "it is given a GPU that its node does not have";
  if (request.gpu_kinds.empty()) return "";
  for (const std::string& kind : request.gpu_kinds) {
    bool all = std::all_of(has.begin(), has.end(),
                           [&](const std::string& gpu) { return IsKind(gpu, kind); });
    if (all) return "";
  }
  return "its GPUs are not all of one kind that it asked for";
}

std::string WhyTooFar(const Rows& rows, const std::vector<const core::RankRow*>& ranks,
                      Within within) {
  bool one_node = true, one_rack = true;
  const core::RankRow& first = *ranks.front();
  std::string rack = LabelOf(rows.nodes.at(first.node).inventory.labels, "rack");
  for (const core::RankRow* rank : ranks) {
    one_node &= rank->node == first.node;
    one_rack &= LabelOf(rows.nodes.at(rank->node).inventory.labels, "rack") == rack;
  }
  if (within == Within::kMachine && !one_node) return "it spans machines";
  if (within == Within::kRack && !one_node && (!one_rack || rack.empty())) return "it spans racks";
  return "";
}

}  // namespace

std::string WhyWrongPlace(const Rows& rows, const core::RankRow& row) {
  const core::JobRow* job = rows.FindJob(row.key.job);
  if (job == nullptr) return "it is of no job";
  const core::JobRequest& request = job->request;
  if (!HasAll(rows.nodes.at(row.node).inventory.labels, request.node_selector)) {
    return "its node has other labels than it asked for";
  }
  if (row.gpu_uuids.size() != request.gpus || row.cpus != request.cpus) {
    return "it is given other sizes than it asked for";
  }
  std::vector<const core::RankRow*> ranks = {&row};
  auto other = rows.ranks.lower_bound({row.key.job, row.key.attempt, 0});
  for (; other != rows.ranks.end() && other->first.job == row.key.job; ++other) {
    if (other->first.attempt == row.key.attempt) ranks.push_back(&other->second);
  }
  std::string why = WhyWrongKinds(KindsOf(rows, ranks), request);
  return why.empty() ? WhyTooFar(rows, ranks, request.within) : why;
}

bool CouldFit(const std::vector<MachinePlan>& machines, const core::JobRequest& request) {
  std::vector<std::string> kinds = request.gpu_kinds;
  if (kinds.empty()) kinds.push_back("");
  for (const std::string& kind : kinds) {
    std::map<std::string, uint64_t> room;  // of what counts as near
    for (size_t i = 0; i < machines.size(); ++i) {
      const MachinePlan& machine = machines[i];
      if (!HasAll(machine.labels, request.node_selector)) continue;
      uint64_t here = machine.cpus / request.cpus;
      if (request.gpus > 0) {
        uint64_t gpus = IsKind(machine.gpu_kind, kind) ? machine.gpus : 0;
        here = std::min<uint64_t>(here, gpus / request.gpus);
      }
      std::string alone = "machine " + std::to_string(i), rack = LabelOf(machine.labels, "rack");
      bool in_rack = request.within == Within::kRack && !rack.empty();
      room[request.within == Within::kFleet ? "" : in_rack ? "rack " + rack : alone] += here;
    }
    for (const auto& [where, ranks] : room) {
      if (ranks >= core::MinWorkers(request)) return true;
    }
  }
  return false;
}

}  // namespace coxswain::sim
