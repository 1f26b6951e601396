#include "trainer/engine/data/sample_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "trainer/core/training_plan.h"

namespace coxswain::trainer::data {
namespace {

TEST(EpochOrder, IsAPermutationThatSeedAndEpochDecide) {
  std::vector<uint32_t> order = EpochOrder(1, 0, 1000), sorted = order;
  std::sort(sorted.begin(), sorted.end());
  for (uint32_t i = 0; i < 1000; ++i) ASSERT_EQ(sorted[i], i);
  EXPECT_EQ(order, EpochOrder(1, 0, 1000));
  EXPECT_NE(order, EpochOrder(1, 1, 1000));
  EXPECT_NE(order, EpochOrder(2, 0, 1000));
  EXPECT_NE(order, sorted);
}

// Old runs must resume with the order they had: these numbers may never change.
TEST(EpochOrder, StaysTheSameForEver) {
  EXPECT_EQ(EpochOrder(1, 0, 8), (std::vector<uint32_t>{3, 7, 0, 4, 2, 5, 6, 1}));
}

TEST(ShareOfBatch, EverySampleOnce_WholeMicroBatches) {
  for (uint32_t world = 1; world <= 7; ++world) {
    for (int64_t batch = 1; batch <= 40; ++batch) {
      for (int64_t micro : {0, 1, 3, 8, 50}) {
        int64_t next = 0;
        for (uint32_t rank = 0; rank < world; ++rank) {
          Share share = ShareOfBatch(batch, micro, rank, world);
          ASSERT_EQ(share.begin, next);
          if (micro > 0 && share.end != batch) {
            ASSERT_EQ(share.end % micro, 0);
          }
          next = share.end;
        }
        ASSERT_EQ(next, batch);
      }
    }
  }
}

// Which samples all ranks use from a position on, by their number in the set, until the epoch ends.
std::map<uint32_t, int> UsedInEpoch(const core::TrainingPlan& plan, int64_t position,
                                    uint32_t world, std::map<uint32_t, int> used, int steps) {
  std::vector<uint32_t> order = EpochOrder(9, position / plan.samples, plan.samples);
  int64_t end = (position / plan.samples + 1) * plan.samples;
  for (int i = 0; i != steps && position < end; ++i) {
    int64_t batch = plan.NextBatch(position);
    for (uint32_t rank = 0; rank < world; ++rank) {
      Share share = ShareOfBatch(batch, 0, rank, world);
      for (int64_t at = share.begin; at < share.end; ++at) {
        ++used[order[static_cast<size_t>(position % plan.samples + at)]];
      }
    }
    position += batch;
  }
  return used;
}

TEST(Epoch, AnyRankCountAndAnyInterruption_EverySampleExactlyOnce) {
  core::TrainingPlan plan{53, 8, 3, 0, 0};
  for (uint32_t world = 1; world <= 4; ++world) {
    for (int interrupted = 0; interrupted < 8; ++interrupted) {
      // So many steps by `world` ranks, the rest of the epoch by one more, with another batch size.
      auto used = UsedInEpoch(plan, 53, world, {}, interrupted);
      core::TrainingPlan other = plan;
      other.batch = 5;
      int64_t position = 53 + std::min<int64_t>(53, interrupted * 8);
      if (position < 106) used = UsedInEpoch(other, position, world + 1, used, -1);
      ASSERT_EQ(used.size(), 53u);
      for (auto [sample, count] : used) ASSERT_EQ(count, 1) << "sample " << sample;
    }
  }
}

// As when each generation of a job has another number of ranks and another batch.
TEST(Epoch, BatchMovedAgainAndAgain_EverySampleExactlyOnce) {
  const int64_t batches[] = {8, 3, 20, 1, 64, 5};
  for (size_t first = 0; first < std::size(batches); ++first) {
    for (int steps = 1; steps <= 4; ++steps) {
      core::TrainingPlan plan{53, 1, 3, 0, 0};
      std::map<uint32_t, int> used;
      int64_t position = 53;
      for (size_t i = 0; position < 106; ++i) {
        plan.batch = batches[(first + i) % std::size(batches)];
        used = UsedInEpoch(plan, position, static_cast<uint32_t>(1 + i % 4), used, steps);
        for (int step = 0; step < steps && position < 106; ++step) {
          position += plan.NextBatch(position);
        }
      }
      EXPECT_EQ(position, 106);
      ASSERT_EQ(used.size(), 53u);
      for (auto [sample, count] : used) ASSERT_EQ(count, 1) << "sample " << sample;
    }
  }
}

TEST(TrainingPlan, StepsToAPosition_CountTheShortOneOfEachEpoch) {
  core::TrainingPlan plan{10, 4, 3, 0, 0};
  EXPECT_EQ(plan.StepsTo(0), 0);
  EXPECT_EQ(plan.StepsTo(4), 1);
  EXPECT_EQ(plan.StepsTo(5), 2);  // within the second
  EXPECT_EQ(plan.StepsTo(10), 3);
  EXPECT_EQ(plan.StepsTo(14), 4);
  EXPECT_EQ(plan.StepsTo(30), plan.RemainingSteps(0, 0));
}

TEST(TrainingPlan, CountsStepsAndEvaluations) {
  core::TrainingPlan plan{10, 4, 3, 0, 2};
  EXPECT_EQ(plan.StepsPerEpoch(), 3);
  EXPECT_EQ(plan.RemainingSteps(0, 0), 9);
  EXPECT_EQ(plan.NextBatch(8), 2);
  EXPECT_EQ(plan.RemainingSteps(2, 8), 7);
  EXPECT_FALSE(plan.EvaluationDue(3, 10));
  EXPECT_TRUE(plan.EvaluationDue(6, 20));
  EXPECT_TRUE(plan.EvaluationDue(9, 30));  // the end, though 3 is not a multiple of 2
  EXPECT_TRUE(plan.Done(9, 30));
  EXPECT_EQ(plan.EpochOf(9), 1);
  EXPECT_EQ(plan.EpochOf(10), 2);
  EXPECT_EQ(plan.EpochOf(30), 3);
  plan.max_steps = 4;
  EXPECT_EQ(plan.RemainingSteps(0, 0), 4);
  EXPECT_TRUE(plan.Done(4, 14));
  EXPECT_TRUE(plan.EvaluationDue(4, 14));
}

}  // namespace
}  // namespace coxswain::trainer::data
