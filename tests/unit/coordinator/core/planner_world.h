// A fleet and its jobs as the planner sees them, made by hand.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/core/scheduling/planner.h"

namespace coxswain::fakes {

namespace core = coordinator::core;
using namespace coordinator::core;  // NOLINT: for tests of that room alone

inline NodeCapacity Node(const std::string& name, uint32_t cpus, uint32_t gpus = 0,
                         const std::string& kind = "NVIDIA H200") {
  NodeCapacity node{.name = name, .cpus = cpus, .cpus_free = cpus};
  for (uint32_t i = 0; i < gpus; ++i) node.gpus.push_back({name + std::to_string(i), kind});
  return node;
}

inline NodeCapacity WithMemory(int64_t memory, NodeCapacity node) {
  node.memory = node.memory_free = memory;
  return node;
}

inline PlacementView Fleet(std::initializer_list<NodeCapacity> nodes) {
  PlacementView view;
  for (const NodeCapacity& node : nodes) view[NodeId(node.name)] = node;
  return view;
}

// What tells one job from another here; the rest as PlannedJob has it.
struct JobFacts {
  std::string queue = "default";
  std::string user = "ann";
  int32_t priority = 0;
  int64_t minutes = -1;  // how long it would run, or runs on; -1: not known
  int64_t started = 0;   // running: so many minutes ago
  base::Duration slot_time{};
  int64_t waited = 1;   // waiting: so many minutes
  bool paused = false;  // waiting: it starts again in a moment
  bool stopping = false;
  bool back = false;            // stopping: for a failure, and wants as many slots again
  bool lost = false;            // running, on nodes that are: it is among those that wait, too
  bool made_room = false;       // running: stopped for another one before
  int64_t seconds_waited = -1;  // waiting: instead of minutes
  int64_t seconds_left = -1, seconds_run = -1;  // running: instead of minutes
  int64_t stop_seconds = -1;                    // running: a stop takes; -1: the plan's grace
  uint32_t vain = 0;                            // running: resizes that led to nothing, in a row
  bool lost_steps = false;      // ... the last one, as what it had done was not saved
  uint32_t most = 0;            // ranks; least: those of its PendingJob. 0: they may not be moved
  uint32_t asked = 0, now = 0;  // 0: the least
  bool sized = false;
  bool told = false;  // waiting: how far back it is
  Speed speed;
};

class PlannerWorld {
 public:
  SchedulingSettings settings;
  PlacementView fleet;
  std::map<std::pair<std::string, std::string>, int64_t> used;  // by queue and user: minutes
  std::map<JobId, std::string> names;                           // of others: their ids
  bool estimate = true;

  void Wait(const PendingJob& needs, JobFacts facts = {}) {
    needs_[needs.id] = needs;
    waiting_.push_back({needs.id, std::move(facts)});
  }
  // On these nodes, a rank on each.
  void Run(const PendingJob& needs, const std::vector<std::string>& nodes, JobFacts facts = {}) {
    needs_[needs.id] = needs;
    Holding& holding = held_[needs.id];
    holding.cpus = needs.cpus;
    holding.memory = needs.memory;
    for (const std::string& node : nodes) {
      RankSlot slot{NodeId(node), 0, {}};
      for (const GpuSlot& gpu : fleet.at(NodeId(node)).gpus) {
        if (slot.gpu_uuids.size() < needs.gpus && gpu.taken == 0)
          slot.gpu_uuids.push_back(gpu.uuid);
      }
      Occupy(&fleet, {{slot}, needs.cpus, needs.memory}, 1);
      holding.ranks.push_back(std::move(slot));
    }
    running_.push_back({needs.id, std::move(facts)});
  }

  // `ms`: how long the plan itself took.
  core::Plan MakePlan(double* ms = nullptr) {
    QueueTree tree(settings);
    Usage usage{std::vector<int64_t>(tree.size()),
                std::vector<std::map<std::string_view, int64_t>>(tree.size())};
    for (const auto& [key, minutes] : used) {
      for (QueueIndex each : tree.path(tree.Find(key.first))) {
        usage.queues[each] += minutes * 60'000;
      }
      usage.users[tree.Find(key.first)][key.second] += minutes * 60'000;
    }
    PlacementView before = fleet;
    PlanRequest request{.settings = &settings, .fleet = &fleet, .tree = &tree, .usage = &usage};
    request.needs = [&](JobId job) { return needs_.at(job); };
    request.held = [&](JobId job) { return held_.at(job); };
    request.speed = [&](JobId job) {
      JobRequest of_job;
      of_job.batch = kBatch;
      return SpeedModel(speeds_.at(job), of_job);
    };
    std::map<JobId, int64_t> minutes;
    for (const auto& [id, facts] : waiting_) minutes[id] = facts.minutes;
    request.expected = [&](JobId job) -> std::optional<base::Duration> {
      auto found = minutes.find(job);
      if (found == minutes.end() || found->second < 0) return std::nullopt;
      return base::seconds(found->second * 60);
    };
    request.name = [&](JobId job) {
      return names.contains(job) ? names.at(job) : base::ToString(job);
    };
    request.now = kNow;
    request.estimate = estimate;
    request.grace = base::seconds(30);
    for (const auto& [id, facts] : waiting_) {
      const int64_t waited = facts.seconds_waited < 0 ? facts.waited * 60 : facts.seconds_waited;
      WaitingJob job{Planned(tree, id, facts), facts.sized, base::seconds(waited), facts.paused};
      job.plain = needs_.at(id).selector.empty() && needs_.at(id).gpu_kinds.empty();
      job.told = facts.told;
      request.waiting.push_back(job);
    }
    for (const auto& [id, facts] : running_) {
      const int64_t ran = facts.seconds_run < 0 ? facts.started * 60 : facts.seconds_run;
      RunningJob job{Planned(tree, id, facts), kNow - base::seconds(ran), std::nullopt,
                     facts.stopping};
      job.made_room = facts.made_room;
      job.stop_takes = facts.stop_seconds < 0 ? request.grace : base::seconds(facts.stop_seconds);
      job.lost = facts.lost;
      job.back = facts.back;
      job.vain = facts.vain;
      job.lost_steps = facts.lost_steps;
      if (job.lost) {
        WaitingJob moves{Planned(tree, id, facts)};
        moves.lost = true;
        moves.holds = moves.demand;
        request.waiting.push_back(moves);
      }
      if (facts.minutes >= 0) job.ends = kNow + base::seconds(facts.minutes * 60);
      if (facts.seconds_left >= 0) job.ends = kNow + base::seconds(facts.seconds_left);
      request.running.push_back(job);
      tree.Take(job.queue, job.user, job.demand, 1);
    }
    auto begin = std::chrono::steady_clock::now();
    core::Plan plan = PlanPlacements(std::move(request));
    if (ms != nullptr) {
      *ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
                .count();
    }
    left_as_it_was = Same(before);
    return plan;
  }

  static constexpr int64_t kBatch = 64;
  static constexpr base::Time kNow{int64_t{1'000'000'000'000}};
  bool left_as_it_was = true;  // the view, by the last plan

 private:
  PlannedJob Planned(const QueueTree& tree, JobId id, const JobFacts& facts) const {
    const PendingJob& needs = needs_.at(id);
    int64_t ranks = std::max(needs.ranks, facts.now);
    speeds_[id] = facts.speed;
    return {.id = id,
            .queue = tree.Find(facts.queue),
            .user = facts.user,
            .priority = facts.priority,
            .workers = static_cast<uint32_t>(ranks),
            .least = needs.ranks,
            .most = std::max(needs.ranks, facts.most),
            .asked = std::max(needs.ranks, facts.asked),
            .rank = {needs.cpus, needs.gpus},
            .demand = {ranks * needs.cpus, ranks * needs.gpus},
            .slots = ranks * (needs.gpus > 0 ? needs.gpus : needs.cpus),
            .slot_time = facts.slot_time};
  }

  bool Same(const PlacementView& before) const {
    for (const auto& [id, node] : fleet) {
      const NodeCapacity& was = before.at(id);
      if (node.cpus_free != was.cpus_free || node.memory_free != was.memory_free) return false;
      for (size_t i = 0; i < node.gpus.size(); ++i) {
        if (node.gpus[i].taken != was.gpus[i].taken) return false;
      }
    }
    return true;
  }

  std::map<JobId, PendingJob> needs_;
  std::map<JobId, Holding> held_;
  mutable std::map<JobId, Speed> speeds_;
  std::vector<std::pair<JobId, JobFacts>> waiting_, running_;
};

}  // namespace coxswain::fakes
