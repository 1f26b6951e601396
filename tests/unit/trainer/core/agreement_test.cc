// Several cores with a lossy network and a simple coordinator between them: whatever is lost or
// late, all ranks copy the same steps, and only one save is under way.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>

#include "common/base/rng.h"
#include "trainer/core/trainer_core.h"

namespace coxswain::trainer::core {
namespace {

constexpr int kRanks = 3;

class World {
 public:
  explicit World(uint64_t seed, bool keeps_best = false) : keeps_best_(keeps_best), rng_(seed) {
    for (int rank = 0; rank < kRanks; ++rank) {
      Settings settings;
      settings.rank = static_cast<base::Rank>(rank);
      settings.incarnation = base::Incarnation(static_cast<uint64_t>(rank) + 1);
      settings.save_every_steps = 3;
      settings.keeps_best = settings.exports_best = keeps_best;
      cores_.push_back(std::make_unique<TrainerCore>(settings));
    }
    commands_.resize(kRanks);
    exits_.resize(kRanks, -1);
  }

  void Run() {
    for (int rank = 0; rank < kRanks; ++rank) Give(rank, Started{"127.0.0.1:1"});
    for (int round = 0; round < 20000 && !Over(); ++round) {
      now_ = now_ + base::milliseconds(1 + rng_.Below(300));
      int rank = static_cast<int>(rng_.Below(kRanks));
      switch (rng_.Below(4)) {
        case 0:
          Give(rank, TimerFired{});
          break;
        case 1:
          Engine();
          break;
        case 2:
          Deliver();
          break;
        case 3:
          Store(rank);
          break;
      }
      if (rng_.Below(50) == 0) Give(rank, OrderReceived{protocol::SaveNow{"x"}});
    }
  }

  bool Over() const {
    for (int code : exits_) {
      if (code < 0) return false;
    }
    return true;
  }

  std::vector<int> exits_;
  std::map<int, std::vector<int64_t>> copied_;  // by rank
  std::set<int64_t> committed_;                 // steps
  size_t most_open_ = 0;
  double lowest_ = std::numeric_limits<double>::infinity();  // of the evaluations
  std::map<base::CheckpointId, double> best_;                // rows that were opened as the best
  base::CheckpointId exported_;
  std::map<int64_t, base::CheckpointId> rows_;  // by step

 private:
  void Give(int rank, const Event& event) {
    Decisions out = cores_[rank]->Decide(now_, event);
    for (const auto& report : out.reports) {
      if (rng_.Below(3) != 0) reports_.push_back({rank, report});  // a third is lost
    }
    for (const auto& action : out.actions) {
      if (const auto* exit = std::get_if<Exit>(&action)) {
        exits_[rank] = exit->code;
      } else {
        work_[rank].push_back(action);
      }
    }
    for (const auto& command : out.engine) commands_[rank] = command;
  }

  // Local commands end one by one; a collective ends once all ranks are in it.
  void Engine() {
    for (int rank = 0; rank < kRanks; ++rank) {
      if (!commands_[rank]) continue;
      if (const auto* copy = std::get_if<TakeSnapshot>(&*commands_[rank])) {
        copied_[rank].push_back(copy->step);
        return Finish(rank, SnapshotTaken{copy->step});
      }
      if (const auto* model = std::get_if<ExportModel>(&*commands_[rank])) {
        if (model->best) exported_ = model->best->id;
        if (!model->best && rows_.contains(steps_)) exported_ = rows_.at(steps_);
        return Finish(rank, ModelExported{"file:///m"});
      }
    }
    StepFinished step;
    for (int rank = 0; rank < kRanks; ++rank) {
      if (!commands_[rank]) return;
      ASSERT_EQ(commands_[rank]->index(), commands_[0]->index()) << "ranks disagree what to do";
      if (const auto* run = std::get_if<RunStep>(&*commands_[rank])) {
        step.save |= run->save;
        step.save_wanted |= run->save_wanted;
      }
    }
    if (std::holds_alternative<JoinGroup>(*commands_[0])) {
      GroupFormed formed;
      formed.generation = base::Generation(1);
      formed.plan = {100, 10, 2, 0, 1, keeps_best_ ? 1 : 0};
      for (int rank = 0; rank < kRanks; ++rank) Finish(rank, formed);
    } else if (std::holds_alternative<Evaluate>(*commands_[0])) {
      const auto& of_first = std::get<Evaluate>(*commands_[0]);
      Evaluated evaluated;
      if (keeps_best_) evaluated.metric = static_cast<double>(rng_.Below(1000));
      lowest_ = std::min(lowest_, evaluated.metric);
      evaluated.has_best = of_first.has_best;
      evaluated.best = of_first.best;
      evaluated.held_step = of_first.held_step;
      for (int rank = 0; rank < kRanks; ++rank) Finish(rank, evaluated);
    } else {
      step.step = ++steps_;
      step.position = steps_ * 10;
      step.samples = 10;
      for (int rank = 0; rank < kRanks; ++rank) Finish(rank, step);
    }
  }
  void Finish(int rank, const Event& event) {
    commands_[rank].reset();
    Give(rank, event);
  }

  // Storage does one thing of a rank.
  void Store(int rank) {
    if (work_[rank].empty()) return;
    Action action = work_[rank].front();
    work_[rank].erase(work_[rank].begin());
    if (const auto* upload = std::get_if<StartUpload>(&action)) {
      Give(rank, ShareStored{upload->id, {static_cast<base::Rank>(rank), "o", 1, "h"}});
    } else if (const auto* manifest = std::get_if<StoreManifest>(&action)) {
      EXPECT_EQ(manifest->shards.size(), static_cast<size_t>(kRanks));
      Give(rank, ManifestStored{manifest->id, "hash", 1, kRanks});
    } else if (const auto* committed = std::get_if<StoreCommitted>(&action)) {
      Give(rank, CommittedStored{committed->id});
    }
  }

  // The coordinator takes a report; its orders may be lost too, and are said again when asked
  // again.
  void Deliver() {
    if (reports_.empty()) return;
    auto [rank, report] = reports_.front();
    reports_.erase(reports_.begin());
    if (std::holds_alternative<protocol::TrainerReady>(report)) {
      ready_.insert(rank);
      if (ready_.size() < kRanks) return;
      protocol::FormGeneration form{base::Generation(1), {}, {}, false};
      for (uint32_t r = 0; r < kRanks; ++r)
        form.members.push_back({r, base::Incarnation(r + 1), ""});
      Order(rank, form);
    } else if (const auto* open = std::get_if<protocol::OpenCheckpoint>(&report)) {
      auto [it, fresh] = rows_.try_emplace(open->step, base::CheckpointId(rows_.size() + 1));
      if (open->best) best_[it->second] = open->metric;
      size_t open_now = 0;
      for (auto [step, id] : rows_) open_now += !committed_.contains(step);
      most_open_ = std::max(most_open_, open_now);
      for (int r = 0; r < kRanks; ++r) {
        Order(r, protocol::CheckpointOpened{it->second, open->step, base::Generation(1), "u"});
      }
    } else if (const auto* stored = std::get_if<protocol::ShardStored>(&report)) {
      auto& shards = shards_[stored->id];
      shards[stored->shard.rank] = stored->shard;
      if (hashes_.contains(stored->id)) {
        Order(rank, protocol::CheckpointCommitted{stored->id, "hash"});
      } else if (shards.size() < kRanks) {
        for (int r = 0; r < kRanks; ++r) Reopen(r, stored->id);
      } else {
        protocol::WriteManifest write{stored->id, {}};
        for (auto& [r, shard] : shards) write.shards.push_back(shard);
        Order(0, write);
      }
    } else if (const auto* written = std::get_if<protocol::ManifestWritten>(&report)) {
      hashes_.insert(written->id);
      for (auto [step, id] : rows_) {
        if (id == written->id) committed_.insert(step);
      }
      for (int r = 0; r < kRanks; ++r) {
        Order(r, protocol::CheckpointCommitted{written->id, written->manifest_hash});
      }
    } else if (std::holds_alternative<protocol::TrainingFinished>(report)) {
      Order(rank, protocol::FinishAcknowledged{});
    }
  }
  void Reopen(int rank, base::CheckpointId id) {
    for (auto [step, row] : rows_) {
      if (row == id) Order(rank, protocol::CheckpointOpened{id, step, base::Generation(1), "u"});
    }
  }
  void Order(int rank, protocol::TrainerOrder order) {
    if (rng_.Below(4) != 0) Give(rank, OrderReceived{std::move(order)});
  }

  const bool keeps_best_;
  base::Rng rng_;
  base::Time now_;
  std::vector<std::unique_ptr<TrainerCore>> cores_;
  std::vector<std::optional<EngineCommand>> commands_;
  std::vector<std::pair<int, protocol::TrainerReport>> reports_;
  std::map<int, std::vector<Action>> work_;
  std::set<int> ready_;
  std::map<base::CheckpointId, std::map<base::Rank, protocol::Shard>> shards_;
  std::set<base::CheckpointId> hashes_;
  int64_t steps_ = 0;
};

TEST(Agreement, LossyNetwork_AllRanksCopyTheSameStepsAndFinish) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    World world(seed);
    world.Run();
    ASSERT_TRUE(world.Over()) << "seed " << seed;
    for (int code : world.exits_) EXPECT_EQ(code, 0) << "seed " << seed;
    EXPECT_EQ(world.copied_[0], world.copied_[1]) << "seed " << seed;
    EXPECT_EQ(world.copied_[0], world.copied_[2]) << "seed " << seed;
    EXPECT_TRUE(world.committed_.contains(20)) << "the last step, seed " << seed;
    EXPECT_EQ(world.most_open_, 1u) << "seed " << seed;
  }
}

TEST(Agreement, LossyNetwork_TheBestIsCommittedAndExported) {
  size_t not_last = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    World world(seed, true);
    world.Run();
    ASSERT_TRUE(world.Over()) << "seed " << seed;
    for (int code : world.exits_) EXPECT_EQ(code, 0) << "seed " << seed;
    EXPECT_EQ(world.copied_[0], world.copied_[1]) << "seed " << seed;
    EXPECT_EQ(world.copied_[0], world.copied_[2]) << "seed " << seed;
    EXPECT_EQ(world.most_open_, 1u) << "seed " << seed;
    ASSERT_FALSE(world.best_.empty()) << "seed " << seed;
    // Each row is better than those before it; the newest is the best of all, and what is exported.
    EXPECT_EQ(world.best_.rbegin()->second, world.lowest_) << "seed " << seed;
    EXPECT_EQ(world.exported_, world.best_.rbegin()->first) << "seed " << seed;
    EXPECT_EQ(world.committed_.size(), world.rows_.size()) << "seed " << seed;
    not_last += world.rows_.at(20) != world.exported_;
  }
  EXPECT_GT(not_last, 20u);
}

}  // namespace
}  // namespace coxswain::trainer::core
