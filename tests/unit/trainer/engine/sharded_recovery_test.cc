// A sharded optimizer, whatever was interrupted and whoever is lost.
#include <gtest/gtest.h>

#include "sharded_jobs.h"

namespace coxswain::trainer::engine {
namespace {

absl::StatusOr<std::unique_ptr<SavedState>> NotToBeCalled() {
  ADD_FAILURE() << "nothing was lost, but a checkpoint was asked for";
  return std::unique_ptr<SavedState>();
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
  const Curve whole = Train(ShardSpec(), Sets(), 2, 6);
  Fleet fleet(Sharded(ShardSpec()));
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
