// What holds whatever a fleet does: no slot is given twice, the tables are a function of the
// committed rows, and the same events decide the same.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "tests/property/coordinator/random_fleet.h"

namespace coxswain::fakes {
namespace {

namespace core = coordinator::core;

core::QueueSettings Queue(const std::string& name, const std::string& parent, int64_t quota,
                          int64_t limit) {
  core::QueueSettings queue{.name = name, .parent = parent};
  queue.quota = {.cpus = quota, .gpus = std::nullopt};
  queue.limit.cpus = limit;
  return queue;
}

// Any policy, with and without queues.
core::Settings TestSettings(uint32_t seed) {
  core::Settings settings;
  settings.default_store = "s3://ckpt";
  settings.scheduling.policy = static_cast<core::PolicyName>(seed % 4);
  settings.scheduling.backfill = seed % 5 != 0;
  settings.scheduling.las_threshold = base::seconds(20);
  if (seed % 3 == 0) return settings;
  settings.scheduling.default_queue = "x";
  settings.scheduling.queues = {Queue("all", "", 12, 10), Queue("x", "all", 4, 8),
                                Queue("y", "all", 3, 6)};
  settings.scheduling.queues[2].user_jobs = 2;
  return settings;
}

// What running jobs hold of each queue, its parts included, and how many a user runs.
void LimitsHold(const core::SchedulingSettings& settings, const FakeRowStore& store) {
  core::QueueTree tree(settings);
  for (const auto& [key, attempt] : store.attempts()) {
    if (attempt.ended) continue;
    const core::JobRow& job = store.jobs().at(key.first);
    tree.Take(tree.Find(job.request.queue), job.submitted_by,
              {int64_t{attempt.workers} * job.request.cpus, 0}, 1);
  }
  for (core::QueueIndex i = 0; i < tree.size(); ++i) {
    const core::QueueSettings& queue = tree.settings(i);
    if (queue.limit.cpus) RC_ASSERT(tree.held(i).cpus <= *queue.limit.cpus);
    for (const auto& [user, use] : tree.users(i)) {
      if (queue.user_jobs) RC_ASSERT(use.jobs <= *queue.user_jobs);
    }
  }
}

void NoSlotIsGivenTwice(const FakeRowStore& store) {
  std::map<base::NodeId, uint64_t> cpus;
  std::map<base::NodeId, int64_t> memory;
  std::set<std::string> gpus;
  for (const auto& [key, rank] : store.ranks()) {
    if (rank.exit) continue;
    cpus[rank.node] += rank.cpus;
    memory[rank.node] += store.jobs().at(key.job).request.memory_bytes;
    for (const std::string& gpu : rank.gpu_uuids) RC_ASSERT(gpus.insert(gpu).second);
  }
  for (const auto& [node, used] : cpus) {
    RC_ASSERT(used <= store.nodes().at(node).inventory.cpu_slots);
    RC_ASSERT(memory[node] <= store.nodes().at(node).inventory.memory_bytes);
  }
}

// Of every attempt's ranks as they were given: whole gangs, where their jobs asked for them to be.
void GangsAreWholeAndInTheirPlace(const FakeRowStore& store) {
  for (const auto& [id, job] : store.jobs()) {
    std::set<base::NodeId> nodes;
    std::set<std::string> racks;
    uint32_t ranks = 0;
    for (const auto& [key, rank] : store.ranks()) {
      if (key.job != id || key.attempt != job.attempt) continue;
      const auto& labels = store.nodes().at(rank.node).inventory.labels;
      for (const auto& [label, value] : job.request.node_selector) {
        RC_ASSERT(labels.contains(label) && labels.at(label) == value);
      }
      RC_ASSERT(rank.gpu_uuids.size() == job.request.gpus);
      nodes.insert(rank.node);
      racks.insert(labels.at("rack"));
      ++ranks;
    }
    RC_ASSERT(ranks == 0 || ranks == job.request.workers);
    if (job.request.within == core::Within::kMachine) RC_ASSERT(nodes.size() <= 1);
    if (job.request.within == core::Within::kRack) RC_ASSERT(racks.size() <= 1);
  }
}

void EndedJobsHaveNoRanks(const FakeRowStore& store) {
  for (const auto& [key, rank] : store.ranks()) {
    if (!rank.exit) RC_ASSERT(!core::IsFinal(store.jobs().at(key.job).state));
  }
}

// Of each job only the newest generation is open, and only its checkpoints are.
void OneGenerationMayCommit(const FakeRowStore& store) {
  for (const auto& [id, row] : store.checkpoints()) {
    if (row.state != core::CheckpointState::kOpen) continue;
    RC_ASSERT(row.generation == store.jobs().at(row.job).generation);
    RC_ASSERT(!core::IsFinal(store.jobs().at(row.job).state));
  }
}

void RowsAreTheState(CoreWorld& world) {
  FakeRowStore copy = world.store();
  core::Snapshot snapshot = copy.Load();
  snapshot.cluster.term = world.store().cluster().term;
  core::Coordinator fresh(world.settings(), snapshot, world.now(), base::WallTime{});
  RC_ASSERT(fresh.HardDigest() == world.core().HardDigest());
}

TEST(CoordinatorProperty, AnyFleet_SlotsOnceAndRowsAreTheState) {
  EXPECT_TRUE(rc::check([](uint32_t seed) {
    CoreWorld world(TestSettings(seed), seed);
    RandomFleet fleet(&world, seed);
    int steps = *rc::gen::inRange(1, 400);
    for (int step = 0; step < steps; ++step) {
      fleet.Step();
      NoSlotIsGivenTwice(world.store());
      GangsAreWholeAndInTheirPlace(world.store());
      EndedJobsHaveNoRanks(world.store());
      OneGenerationMayCommit(world.store());
      LimitsHold(world.settings().scheduling, world.store());
      if (step % 16 == 0 || step + 1 == steps) RowsAreTheState(world);
    }
  }));
}

TEST(CoordinatorProperty, SameEvents_SameDecisions) {
  EXPECT_TRUE(rc::check([](uint32_t seed) {
    CoreWorld world(TestSettings(seed), seed);
    FakeRowStore start = world.store();
    RandomFleet fleet(&world, seed);
    base::Time begun = world.now();
    for (int step = 0; step < 150; ++step) {
      FakeRowStore before = world.store();
      base::Time now = world.now();
      fleet.Step();
      if (fleet.restarted()) {
        start = before;
        begun = now;
      }
    }
    core::Snapshot snapshot = start.Load();
    base::WallTime wall{1'700'000'000'000'000 + begun.us};
    snapshot.cluster.term = world.first_term();
    core::Coordinator replayed(world.settings(), snapshot, begun, wall);
    for (const core::Event& event : world.history()) replayed.Decide(event);
    RC_ASSERT(replayed.Digest() == world.core().Digest());
  }));
}

}  // namespace
}  // namespace coxswain::fakes
