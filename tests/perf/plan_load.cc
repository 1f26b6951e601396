// How long one plan takes over a large fleet, and how often it can place a job: the pure core
// alone, without a store or a network.
//
//   plan-load [--nodes N] [--gpus G] [--waiting W] [--runs R]
//
// stdout: a JSON object for each case: {"fleet": "free" | "full" | "half" | "elastic", "plan_ms":
// [...], "placed": N, "fit_us": microseconds for one gang looked for and its slots taken}.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>

#include "coordinator/core/placement/gang_fit.h"
#include "tests/unit/coordinator/core/planner_world.h"

namespace {

using namespace coxswain;         // NOLINT
using namespace coxswain::fakes;  // NOLINT
using Clock = std::chrono::steady_clock;

double MsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

struct Sizes {
  std::string only;  // of the fleets; empty: all
  int nodes = 5000, gpus = 8, waiting = 10'000, runs = 5;
};

std::string Name(int i) {
  char name[16];
  std::snprintf(name, sizeof name, "n%06d", i);
  return name;
}

// Of the jobs of a full fleet one in five has a range and may be made smaller; so has one in three
// of those that wait, and one in two of these has to be on one machine.
PlannerWorld ElasticWorld(const Sizes& sizes) {
  PlannerWorld world;
  world.settings.policy = PolicyName::kElastic;
  uint64_t id = 0;
  auto gpus = static_cast<uint32_t>(sizes.gpus);
  Speed speed;
  Measure(&speed, {1, 1, PlannerWorld::kBatch, 1.0});
  Measure(&speed, {1, gpus, PlannerWorld::kBatch, 1.2 / gpus});
  for (int i = 0; i < sizes.nodes; ++i) {
    std::string name = Name(i);
    world.fleet[NodeId(name)] = Node(name, 64, gpus);
    world.fleet[NodeId(name)].rack = "rack" + std::to_string(i / 40);
    const bool moves = i % 5 == 0;
    world.Run({.id = JobId(++id), .ranks = moves ? 1 : gpus, .gpus = 1},
              std::vector<std::string>(gpus, name),
              {.started = 60, .most = 2 * gpus, .now = gpus, .speed = speed});
  }
  for (int i = 0; i < sizes.waiting; ++i) {
    PendingJob needs{.id = JobId(++id), .ranks = 1 + static_cast<uint32_t>(i) % 4, .gpus = 1};
    if (i % 2 == 0) needs.within = Within::kMachine;
    world.Wait(needs, {.user = "u" + std::to_string(i % 50),
                       .most = i % 3 == 0 ? 2 * gpus : 0,
                       .asked = i % 3 == 0 ? gpus : 0});
  }
  return world;
}

// Every `free_every`th node is left free; 0: none.
PlannerWorld World(const Sizes& sizes, int free_every) {
  PlannerWorld world;
  world.settings.policy = PolicyName::kPriority;
  uint64_t id = 0;
  auto gpus = static_cast<uint32_t>(sizes.gpus);
  for (int i = 0; i < sizes.nodes; ++i) {
    std::string name = Name(i);
    world.fleet[NodeId(name)] = Node(name, 64, gpus);
    world.fleet[NodeId(name)].rack = "rack" + std::to_string(i / 40);
    if (free_every > 0 && i % free_every == 0) continue;
    world.Run({.id = JobId(++id), .ranks = 1, .gpus = gpus}, {name},
              {.user = "u" + std::to_string(i % 50), .minutes = i % 600});
  }
  for (int i = 0; i < sizes.waiting; ++i) {
    world.Wait({.id = JobId(++id),
                .ranks = i % 7 == 0 ? 32U : 1U,
                .gpus = static_cast<uint32_t>(1 + i % sizes.gpus)},
               {.user = "u" + std::to_string(i % 50)});
  }
  return world;
}

void PlanIn(const char* fleet, const Sizes& sizes, const std::function<PlannerWorld()>& make) {
  if (!sizes.only.empty() && sizes.only != fleet) return;
  PlannerWorld world = make();
  std::string all;
  size_t placed = 0;
  for (int run = 0; run < sizes.runs; ++run) {
    double ms = 0;
    core::Plan plan = world.MakePlan(&ms);
    placed = plan.placements.size();
    all += (all.empty() ? "" : ", ") + std::to_string(ms);
  }
  PendingJob job{.id = JobId(1), .ranks = 2, .gpus = static_cast<uint32_t>(sizes.gpus)};
  auto start = Clock::now();
  int count = 0;
  for (; count < sizes.nodes / 4; ++count) {
    core::GangFit fit = core::FitGang(world.fleet, job, core::Extent::kFree);
    if (!fit.shares.empty()) core::TakeSlots(&world.fleet, job, fit);
  }
  std::printf("{\"fleet\": \"%s\", \"plan_ms\": [%s], \"placed\": %zu, \"fit_us\": %.3f}\n", fleet,
              all.c_str(), placed, MsSince(start) * 1000 / count);
}

}  // namespace

int main(int argc, char** argv) {
  Sizes sizes;
  std::map<std::string, int*> options = {{"--nodes", &sizes.nodes},
                                         {"--gpus", &sizes.gpus},
                                         {"--waiting", &sizes.waiting},
                                         {"--runs", &sizes.runs}};
  for (int i = 1; i < argc; i += 2) {
    const std::string_view flag = argv[i], value = i + 1 < argc ? argv[i + 1] : "";
    if (flag == "--fleet") {
      sizes.only = value;
      continue;
    }
    auto option = options.find(std::string(flag));
    const int number = std::atoi(value.data());
    if (option == options.end() || number < 1) {
      std::fprintf(stderr,
                   "usage: plan-load [--nodes N] [--gpus G] [--waiting W] [--runs R] "
                   "[--fleet free|half|full|elastic]\n");
      return 2;
    }
    *option->second = number;
  }
  PlanIn("free", sizes, [&] { return World(sizes, 1); });
  PlanIn("half", sizes, [&] { return World(sizes, 2); });
  PlanIn("full", sizes, [&] { return World(sizes, 0); });
  PlanIn("elastic", sizes, [&] { return ElasticWorld(sizes); });
}
