// An optimizer whose state is split over the ranks: the same numbers in less memory, whatever was
// interrupted.
#include <c10/util/Exception.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <deque>
#include <map>
#include <optional>

#include "ranks.h"

namespace coxswain::trainer::engine {
namespace {

const data::Dataset& Images() {
  static const auto set = MakeImages(120, 8, 10);
  return *set;
}
const data::Dataset& TestImages() {
  static const auto set = MakeImages(37, 8, 10);
  return *set;
}
Datasets Sets() { return {&Images(), &TestImages()}; }

config::JobSpec Spec() {
  config::JobSpec spec;
  spec.workers = 2;
  spec.model.recipe = config::Recipe::kMlp;
  spec.model.hidden = {24};
  spec.train.precision = config::Precision::kFloat64;
  spec.train.global_batch_size = 13;  // odd: ranks get unequal shares
  spec.train.epochs = 6;
  spec.train.optimizer.learning_rate = 3e-3;
  return spec;
}

config::JobSpec Sharded(config::JobSpec spec) {
  spec.train.optimizer.sharded = true;
  return spec;
}

std::map<std::string, config::JobSpec> Kinds() {
  std::map<std::string, config::JobSpec> kinds;
  kinds["adamw"] = Spec();
  config::JobSpec all = Spec();
  all.train.clip_norm = 0.5;
  all.train.optimizer.decay = config::Decay::kMatrices;
  all.train.optimizer.weight_decay = 0.3;
  all.train.micro_batch_size = 3;
  all.train.ema = {0.9, true};
  all.train.schedule = {config::ScheduleName::kCosine, 5, 0.1};
  kinds["clipping, decay of matrices, accumulation, ema"] = all;
  config::JobSpec sgd = Spec();
  sgd.train.optimizer.name = config::OptimizerName::kSgd;
  sgd.train.optimizer.learning_rate = 0.05;
  sgd.train.optimizer.momentum = 0.9;
  sgd.train.optimizer.nesterov = true;
  kinds["sgd"] = sgd;
  config::JobSpec norms = Spec();
  norms.model.recipe = config::Recipe::kCnn;
  norms.model.channels = {4, 6};
  norms.model.batch_norm = true;
  norms.train.ema = {0.8, false};
  norms.train.micro_batch_size = 3;
  kinds["batch norm"] = norms;
  return kinds;
}

void ExpectSameState(const Saved& one, const Saved& other) {
  ASSERT_EQ(one.tensors, other.tensors);
  EXPECT_EQ(one.step, other.step);
  EXPECT_EQ(one.position, other.position);
  for (size_t i = 0; i < one.tensors.size(); ++i) {
    ASSERT_EQ(one.bytes[i] == other.bytes[i], true) << one.tensors[i].name;
  }
}

TEST(ShardedOptimizer, AnyKindAndNumberOfRanks_SameBitsAsWithout) {
  for (const auto& [name, spec] : Kinds()) {
    const Curve one = Train(spec, Sets(), 1, 12);
    for (uint32_t world = 1; world <= 4; ++world) {
      SCOPED_TRACE(name + ", " + std::to_string(world) + " ranks");
      const Curve whole = Train(spec, Sets(), world, 12);
      const Curve sharded = Train(Sharded(spec), Sets(), world, 12);
      EXPECT_EQ(sharded.losses, whole.losses);
      EXPECT_EQ(sharded.evaluation.loss, whole.evaluation.loss);
      ExpectSameState(sharded.end, whole.end);
      for (size_t i = 0; i < one.losses.size(); ++i) {
        ASSERT_NEAR(sharded.losses[i], one.losses[i], 1e-9 * one.losses[i]) << "step " << i;
      }
    }
  }
}

TEST(ShardedOptimizer, Float32AndBf16_SameBitsAsWithout) {
  for (const auto precision : {config::Precision::kFloat32, config::Precision::kBf16}) {
    config::JobSpec spec = Spec();
    spec.train.precision = precision;
    spec.train.clip_norm = 1;
    const Curve whole = Train(spec, Sets(), 3, 12), sharded = Train(Sharded(spec), Sets(), 3, 12);
    EXPECT_EQ(sharded.losses, whole.losses);
    ExpectSameState(sharded.end, whole.end);
  }
}

TEST(ShardedOptimizer, MeasuredNoiseAndABatchRange_SameAsWithout) {
  config::JobSpec spec = Spec();
  spec.train.max_global_batch_size = 40;
  TrainOptions options;
  options.global_batch = 26;
  options.noise_every_steps = 2;
  const Curve whole = Train(spec, Sets(), 2, 20, nullptr, options);
  const Curve sharded = Train(Sharded(spec), Sets(), 2, 20, nullptr, options);
  EXPECT_EQ(sharded.losses, whole.losses);
  EXPECT_GT(sharded.end.noise.count, 3);
}

TEST(ShardedOptimizer, CheckpointOfAnyNumberOfRanks_GoesOnWithAnyOther_OnOrOff) {
  config::JobSpec spec = Spec();
  spec.train.ema = {0.9, false};
  const Curve whole = Train(spec, Sets(), 1, 20);
  for (const bool first : {false, true}) {
    for (const bool then : {false, true}) {
      if (!first && !then) continue;
      SCOPED_TRACE(std::to_string(first) + std::to_string(then));
      const Curve begun = Train(first ? Sharded(spec) : spec, Sets(), 3, 8);
      const Curve end = Train(then ? Sharded(spec) : spec, Sets(), 2, 12, &begun.end);
      EXPECT_EQ(end.end.position, whole.end.position);
      for (size_t i = 0; i < end.losses.size(); ++i) {
        ASSERT_NEAR(end.losses[i], whole.losses[8 + i], 1e-9 * whole.losses[8 + i]);
      }
    }
  }
}

TEST(ShardedOptimizer, CheckpointOfAnotherModel_IsRefusedOnEveryRank) {
  config::JobSpec other = Sharded(Spec());
  other.model.hidden = {25};
  const Curve begun = Train(other, Sets(), 2, 2);
  Listener listener;
  auto status = [&](uint32_t rank) {
    auto engine = MakeEngine();
    EngineSettings settings;
    settings.spec = Sharded(Spec());
    CHECK(engine->Prepare(settings, Sets()).ok());
    GroupSettings group{base::Generation(1), rank, 2, "127.0.0.1", listener.port, listener.fd};
    return engine->Join(group, begun.end.Restore()).status();
  };
  absl::Status second;
  std::thread thread([&] { second = status(1); });
  const absl::Status first = status(0);
  thread.join();
  EXPECT_EQ(first.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(first.message().find("another shape"), std::string::npos) << first;
  EXPECT_EQ(second.code(), absl::StatusCode::kUnavailable);
}

// Ranks on threads of their own, which may be given others' places.
class Fleet {
 public:
  explicit Fleet(config::JobSpec spec) : spec_(std::move(spec)) {
    signal(SIGPIPE, SIG_IGN);  // as a trainer has it: Gloo writes to peers that have gone
  }

  // A rank that has nothing yet. Returns which engine it is.
  size_t Add() {
    const size_t index = engines_.size();
    engines_.push_back(MakeEngine());
    listeners_.emplace_back();
    fail_at_.emplace_back();
    EngineSettings settings;
    settings.spec = spec_;
    settings.at_update = [this, index](UpdateMoment moment) {
      if (fail_at_[index] != moment) return;
      fail_at_[index].reset();
      TORCH_CHECK_WITH(DistBackendError, false, "a planned failure");
    };
    CHECK(engines_.back()->Prepare(settings, Sets()).ok());
    return index;
  }

  // These are the ranks from now on.
  std::vector<Joined> Join(std::vector<size_t> members, const Engine::Restore& restore) {
    members_ = std::move(members);
    ++generation_;
    const Listener& first = listeners_[members_[0]];
    std::vector<Joined> joined(members_.size());
    Each([&](uint32_t rank, Engine& engine) {
      auto done =
          engine.Join({base::Generation(generation_), rank, static_cast<uint32_t>(members_.size()),
                       "127.0.0.1", first.port, first.fd},
                      restore);
      CHECK(done.ok()) << done.status().ToString();
      joined[rank] = *done;
    });
    return joined;
  }
  // Fails on this rank; on some others it may succeed.
  void FailingJoin(uint32_t rank, UpdateMoment moment) {
    fail_at_[members_[rank]] = moment;
    ++generation_;
    const Listener& first = listeners_[members_[0]];
    Each([&](uint32_t of, Engine& engine) {
      auto done =
          engine.Join({base::Generation(generation_), of, static_cast<uint32_t>(members_.size()),
                       "127.0.0.1", first.port, first.fd},
                      StartAfresh);
      EXPECT_TRUE(of != rank || !done.ok());
      // A trainer that succeeds goes on with a step, which fails: its group is no more.
      if (done.ok()) done = engine.Step({}).status();
      EXPECT_FALSE(done.ok());
    });
  }
  double Step() {
    double loss = 0;
    Each([&](uint32_t rank, Engine& engine) {
      auto result = engine.Step({});
      CHECK(result.ok()) << result.status().ToString();
      if (rank == 0) loss = result->loss;
    });
    return loss;
  }
  // A step that fails on these; returns how many ranks finished it.
  int FailingStep(const std::map<uint32_t, UpdateMoment>& where) {
    for (const auto& [rank, moment] : where) fail_at_[members_[rank]] = moment;
    std::atomic<int> done = 0;
    Each([&](uint32_t, Engine& engine) {
      auto result = engine.Step({});
      if (result.ok()) return void(++done);
      EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable) << result.status();
      // Its end is what frees the others.
    });
    return done;
  }
  Saved Save(int64_t step, int64_t position) {
    Saved saved;
    for (size_t member : members_) saved.Add(*engines_[member], step, position);
    return saved;
  }
  const Engine& engine(size_t index) const { return *engines_[index]; }

 private:
  template <class Work>
  void Each(Work work) {
    std::vector<std::thread> threads;
    for (uint32_t rank = 0; rank < members_.size(); ++rank) {
      threads.emplace_back([&, rank] { work(rank, *engines_[members_[rank]]); });
    }
    for (std::thread& thread : threads) thread.join();
  }

  const config::JobSpec spec_;
  uint64_t generation_ = 0;
  std::deque<Listener> listeners_;  // each engine's own
  std::vector<std::unique_ptr<Engine>> engines_;
  std::vector<std::optional<UpdateMoment>> fail_at_;
  std::vector<size_t> members_;
};

absl::StatusOr<std::unique_ptr<SavedState>> NotToBeCalled() {
  ADD_FAILURE() << "nothing was lost, but a checkpoint was asked for";
  return std::unique_ptr<SavedState>();
}

uint64_t OptimizerBytes(const Engine& engine) {
  uint64_t bytes = 0;
  for (const blob::Piece& piece : engine.Share()) {
    const std::string& name = engine.StateTensors()[piece.tensor].name;
    if (name.starts_with("optimizer.")) bytes += piece.bytes;
  }
  return bytes;
}

TEST(ShardedOptimizer, EachRank_KeepsItsPartOfTheStateAndNoMore) {
  for (uint32_t world = 1; world <= 4; ++world) {
    Fleet fleet(Sharded(Spec()));
    std::vector<size_t> members;
    for (uint32_t i = 0; i < world; ++i) members.push_back(fleet.Add());
    fleet.Join(members, StartAfresh);
    uint64_t whole = 0;
    for (const blob::TensorInfo& each : fleet.engine(0).StateTensors()) {
      if (each.name.starts_with("optimizer.")) whole += each.bytes();
    }
    EXPECT_EQ(whole, 2u * 8 * (64 * 24 + 24 + 24 * 10 + 10));
    for (size_t member : members) {
      EXPECT_NEAR(static_cast<double>(OptimizerBytes(fleet.engine(member))),
                  static_cast<double>(whole) / world, 2 * 64);
    }
  }
}

// Every place where a step's collectives may fail, on three ranks: no step is lost, none is done
// twice or by half.
TEST(ShardedOptimizer, FailureAtAnyMomentOfTheUpdate_SameBitsAsWithoutFailure) {
  using enum UpdateMoment;
  const std::vector<std::map<uint32_t, UpdateMoment>> failures = {
      {{0, kSummed}, {1, kSummed}, {2, kSummed}},  // nobody has updated
      {{1, kSummed}},                              // one has not, and takes the others' gradients
      {{0, kSummed}, {2, kSummed}},
      {{0, kUpdated}, {1, kUpdated}, {2, kUpdated}},  // all have, and nobody has the others' parts
      {{2, kUpdated}},
      {{0, kSummed}, {1, kUpdated}},
      {{1, kGathered}},  // one knows nothing of having it all
      {{0, kGathered}, {1, kGathered}, {2, kGathered}},
  };
  for (const std::string name : {"clipping, decay of matrices, accumulation, ema", "batch norm"}) {
    const config::JobSpec spec = Kinds()[name];
    const Curve whole = Train(spec, Sets(), 3, 7);
    for (const int64_t before : {0, 4}) {
      for (size_t i = 0; i < failures.size(); ++i) {
        SCOPED_TRACE(name + ", failure " + std::to_string(i) + " in step " +
                     std::to_string(before + 1));
        Fleet fleet(Sharded(spec));
        const std::vector<size_t> members = {fleet.Add(), fleet.Add(), fleet.Add()};
        fleet.Join(members, StartAfresh);
        for (int64_t step = 0; step < before; ++step) EXPECT_EQ(fleet.Step(), whole.losses[step]);
        fleet.FailingStep(failures[i]);
        const bool any = i > 0;  // has updated
        const std::vector<Joined> joined =
            fleet.Join(members, !any && before == 0 ? StartAfresh : NotToBeCalled);
        for (const Joined& each : joined) {
          EXPECT_EQ(each.step, before + (any ? 1 : 0));
          EXPECT_EQ(each.position, joined[0].position);
        }
        for (auto step = static_cast<size_t>(joined[0].step); step < 7; ++step) {
          ASSERT_EQ(fleet.Step(), whole.losses[step]) << step;
        }
        ExpectSameState(fleet.Save(whole.end.step, whole.end.position), whole.end);
      }
    }
  }
}

// What finishes an interrupted step may be interrupted too, on any rank and again.
TEST(ShardedOptimizer, FailuresWhileAStepIsFinished_SameBitsAsWithoutFailure) {
  using enum UpdateMoment;
  const config::JobSpec spec = Kinds()["batch norm"];
  const Curve whole = Train(spec, Sets(), 3, 6);
  for (const UpdateMoment first : {kSummed, kUpdated, kGathered}) {
    SCOPED_TRACE(static_cast<int>(first));
    Fleet fleet(Sharded(spec));
    const std::vector<size_t> members = {fleet.Add(), fleet.Add(), fleet.Add()};
    fleet.Join(members, StartAfresh);
    for (size_t i = 0; i < 3; ++i) EXPECT_EQ(fleet.Step(), whole.losses[i]);
    fleet.FailingStep({{1, first}});
    for (const uint32_t rank : {0, 1, 2, 0}) fleet.FailingJoin(rank, kGatheredAgain);
    EXPECT_EQ(fleet.Join(members, NotToBeCalled)[1].step, 4);
    for (size_t i = 4; i < 6; ++i) EXPECT_EQ(fleet.Step(), whole.losses[i]);
    ExpectSameState(fleet.Save(whole.end.step, whole.end.position), whole.end);
  }
}

// As for another batch size, or after a network that failed between two steps.
TEST(ShardedOptimizer, SameRanksInANewGroup_GoOn) {
  const config::JobSpec spec = Kinds()["sgd"];
  const Curve whole = Train(spec, Sets(), 2, 6);
  Fleet fleet(Sharded(spec));
  const std::vector<size_t> members = {fleet.Add(), fleet.Add()};
  fleet.Join(members, StartAfresh);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(fleet.Step(), whole.losses[i]);
  EXPECT_EQ(fleet.Join(members, NotToBeCalled)[1].step, 3);
  for (size_t i = 3; i < 6; ++i) EXPECT_EQ(fleet.Step(), whole.losses[i]);
  ExpectSameState(fleet.Save(whole.end.step, whole.end.position), whole.end);
}

TEST(ShardedOptimizer, OtherRanksWithNoneLost_AreGivenTheirPartsInPlace) {
  const config::JobSpec spec = Kinds()["clipping, decay of matrices, accumulation, ema"];
  const Curve whole = Train(spec, Sets(), 1, 12);
  Fleet fleet(Sharded(spec));
  size_t a = fleet.Add(), b = fleet.Add(), c = fleet.Add();
  size_t next = 0;
  auto steps = [&](size_t count) {
    for (const size_t end = next + count; next < end; ++next) {
      EXPECT_NEAR(fleet.Step(), whole.losses[next], 1e-9);
    }
  };
  fleet.Join({a, b}, StartAfresh);
  steps(4);
  EXPECT_EQ(fleet.Join({c, b, a}, NotToBeCalled)[0].step, 4);  // one more, and in another order
  EXPECT_NEAR(static_cast<double>(OptimizerBytes(fleet.engine(a))),
              static_cast<double>(OptimizerBytes(fleet.engine(c))), 4 * 64);
  steps(4);
  // The one that leaves is there when its part is given away: a group of two of them would lack it.
  EXPECT_EQ(fleet.Join({a, b, c}, NotToBeCalled)[2].position, whole.positions[7]);
  steps(4);
  EXPECT_EQ(fleet.Save(12, 0).tensors.size(), whole.end.tensors.size());
}

TEST(ShardedOptimizer, RankLost_GoesBackToTheCheckpointInPlace) {
  const config::JobSpec spec = Kinds()["clipping, decay of matrices, accumulation, ema"];
  const Curve whole = Train(spec, Sets(), 2, 12);
  Fleet fleet(Sharded(spec));
  const size_t a = fleet.Add(), b = fleet.Add();
  fleet.Join({a, b}, StartAfresh);
  for (int i = 0; i < 3; ++i) fleet.Step();
  const Saved saved = fleet.Save(3, whole.positions[2]);
  for (int i = 0; i < 3; ++i) fleet.Step();
  fleet.FailingStep({{1, UpdateMoment::kUpdated}});
  const std::vector<Joined> joined = fleet.Join({a, fleet.Add()}, saved.Restore());
  EXPECT_EQ(joined[0].step, 3);
  EXPECT_EQ(joined[1].position, whole.positions[2]);
  for (size_t i = 3; i < 12; ++i) EXPECT_EQ(fleet.Step(), whole.losses[i]);
  ExpectSameState(fleet.Save(whole.end.step, whole.end.position), whole.end);
}

TEST(ShardedOptimizer, RankLostAndNoCheckpoint_BeginsAnewWithTheSameModel) {
  const Curve whole = Train(Spec(), Sets(), 2, 6);
  Fleet fleet(Sharded(Spec()));
  const size_t a = fleet.Add(), b = fleet.Add();
  fleet.Join({a, b}, StartAfresh);
  for (int i = 0; i < 3; ++i) fleet.Step();
  const std::vector<Joined> joined = fleet.Join({fleet.Add(), b}, StartAfresh);
  EXPECT_EQ(joined[0].step, 0);
  EXPECT_EQ(joined[1].position, 0);
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(fleet.Step(), whole.losses[i]);
  ExpectSameState(fleet.Save(whole.end.step, whole.end.position), whole.end);
}

}  // namespace
}  // namespace coxswain::trainer::engine
