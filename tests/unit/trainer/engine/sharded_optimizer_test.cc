// An optimizer whose state is split over the ranks: the same numbers in less memory.
#include <gtest/gtest.h>

#include "sharded_jobs.h"

namespace coxswain::trainer::engine {
namespace {

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
    config::JobSpec spec = ShardSpec();
    spec.train.precision = precision;
    spec.train.clip_norm = 1;
    const Curve whole = Train(spec, Sets(), 3, 12), sharded = Train(Sharded(spec), Sets(), 3, 12);
    EXPECT_EQ(sharded.losses, whole.losses);
    ExpectSameState(sharded.end, whole.end);
  }
}

TEST(ShardedOptimizer, MeasuredNoiseAndABatchRange_SameAsWithout) {
  config::JobSpec spec = ShardSpec();
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
  config::JobSpec spec = ShardSpec();
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
  config::JobSpec other = Sharded(ShardSpec());
  other.model.hidden = {25};
  const Curve begun = Train(other, Sets(), 2, 2);
  Listener listener;
  auto status = [&](uint32_t rank) {
    auto engine = MakeEngine();
    EngineSettings settings;
    settings.spec = Sharded(ShardSpec());
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

TEST(ShardedOptimizer, EachRank_KeepsItsPartOfTheStateAndNoMore) {
  for (uint32_t world = 1; world <= 4; ++world) {
    Fleet fleet(Sharded(ShardSpec()));
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

}  // namespace
}  // namespace coxswain::trainer::engine
