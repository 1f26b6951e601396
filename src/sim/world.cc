#include "sim/world.h"

#include <algorithm>
#include <charconv>

#include "common/base/check.h"

namespace coxswain::sim {

using base::Duration;
using base::seconds;

namespace {

// More calls than this without an hour having passed: something goes round in a circle.
constexpr uint64_t kMostCalls = 30'000'000;
// After the healing, and since something was last trained or came to its end: a job of small
// batches may well take longer than that.
constexpr Duration kPatience = std::chrono::hours(1);

}  // namespace

World::World(uint64_t s, Telling telling)
    : seed(s),
      options(DrawOptions(s)),
      dice(s),
      journal(queue, telling != Telling::kNothing, telling == Telling::kAloud),
      row_checker(this),
      send_checker(this),
      process_checker(this),
      state_checker(this),
      end_checker(this),
      blobs(options.shared_files),
      coordinator(std::make_unique<CoordinatorHost>(this)),
      faults(this) {
  for (uint32_t i = 0; i < options.machines.size(); ++i) {
    machines.push_back(std::make_unique<Machine>(this, i, options.machines[i]));
  }
  for (const JobPlan& plan : options.jobs) {
    clients.push_back(std::make_unique<Client>(this, plan));
  }
}

World::~World() = default;

const JobPlan& World::PlanOf(const std::string& spec_yaml) const {
  size_t number = 0;
  std::string_view digits = std::string_view(spec_yaml).substr(spec_yaml.find(' ') + 1);
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  CHECK(number >= 1 && number <= options.jobs.size()) << "no such job file: " << spec_yaml;
  return options.jobs[number - 1];
}

std::string World::PlaceOf(const core::CheckpointRow& row) const {
  // Not by the node's id: a machine with a copied disk may have it.
  for (const auto& machine : machines) {
    std::string place = blobs.Place(row.uri, machine->index());
    if (blobs.Has(place, row.uri, ShardName(0))) return place;
  }
  return blobs.Place(row.uri, 0);
}

bool World::Astray(const core::CheckpointRow& row) const {
  bool clones = journal.counts()[static_cast<size_t>(Counted::kClones)] > 0;
  return clones && !options.shared_files && row.uri.starts_with("file:");
}

bool World::IsSomeMachine(const base::NodeId& node) const {
  return std::any_of(machines.begin(), machines.end(), [&](const auto& machine) {
    return machine->identity && machine->identity->node == node;
  });
}

void World::Heal() {
  journal.Say([] { return std::string("all is healed"); });
  healed = true;
  faults.Stop();
  coordinator->refuses_writes = false;
  coordinator->lose_next_sync = false;
  coordinator->commit_slowness = 1;
  blobs.away = false;
  for (auto& machine : machines) {
    machine->Cut(false, false, false);
    machine->disk_full = false;
    for (auto& [key, process] : std::map(machine->processes())) process->Thaw();
  }
  faults.SetInOrder();
  for (auto& client : clients) client->CancelIfNeverFits();
}

void World::KeepHouse(const Retention& limits) {
  queue.After(limits.pause, [this, limits] {
    coordinator->KeepHouse(limits);
    KeepHouse(limits);
  });
}

void World::Run() {
  coordinator->Start();
  for (auto& machine : machines) machine->StartWorker();
  for (auto& client : clients) client->Begin();
  faults.Begin();
  if (options.retention) KeepHouse(*options.retention);
  base::Time heal_at = queue.now() + options.faults_for;
  queue.At(heal_at, [this] { Heal(); });
  base::Time look_at = queue.now() + seconds(2);
  while (journal.failure().empty() && queue.RunNext()) {
    if (queue.ran() > kMostCalls)
      journal.Fail("so many things happen that nothing comes to an end");
    if (queue.now() < look_at) continue;
    look_at = queue.now() + seconds(2);
    std::string job = end_checker.WhatIsUnexplained();
    if (!job.empty()) journal.Fail(job + " waits, and nothing says why");
    if (queue.now() < heal_at) continue;
    std::string left = end_checker.WhatIsLeft();
    if (left.empty()) break;
    if (queue.now() < std::max(heal_at, advanced_at) + kPatience) continue;
    journal.Fail("all is healed, for an hour nothing came forward, and " + left);
  }
  if (journal.failure().empty()) end_checker.CheckEnds();
  journal.Mix(coordinator->rows().last_event.value);
}

}  // namespace coxswain::sim
