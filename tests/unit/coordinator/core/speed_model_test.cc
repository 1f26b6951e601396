#include "coordinator/core/scheduling/speed_model.h"

#include <gtest/gtest.h>

#include <cmath>

namespace coxswain::coordinator::core {
namespace {

JobRequest Request(int64_t batch, int64_t most = 0) {
  JobRequest request;
  request.batch = batch;
  request.max_batch = most;
  return request;
}

TEST(SpeedModel, NothingMeasured_IsNotKnown) {
  SpeedModel model(Speed(), Request(64));
  EXPECT_FALSE(model.known());
  EXPECT_EQ(model.measured(), 0u);
  EXPECT_EQ(model.Goodput(1, 1, 64), 0);
}

TEST(SpeedModel, OneMeasurement_IsMet_AndMoreRanksAreTakenToBeFaster) {
  SpeedModel model({{{1, 1, 64, 2.0}}, 0}, Request(64));
  EXPECT_NEAR(model.Seconds(1, 1, 64), 2.0, 0.01);
  EXPECT_LT(model.Seconds(1, 2, 64), 1.5);
  EXPECT_GT(model.Seconds(1, 2, 64), 1.0) << "never better than in proportion";
  EXPECT_GT(model.Seconds(2, 2, 64), model.Seconds(1, 2, 64));
}

TEST(SpeedModel, StepsOfTheModelItself_AreFoundAgain) {
  auto truth = [](uint32_t nodes, uint32_t workers, int64_t batch) {
    double sum = workers == 1 ? 0 : nodes == 1 ? 0.05 : 0.2;
    return 0.1 + 0.01 * static_cast<double>(batch) / workers + sum +
           0.01 * std::max(0.0, workers - 2.0);
  };
  Speed speed;
  for (auto [nodes, workers] : {std::pair(1u, 1u), {1u, 2u}, {1u, 4u}, {2u, 4u}, {2u, 8u}}) {
    for (int64_t batch : {64, 256}) {
      Measure(&speed, {nodes, workers, batch, truth(nodes, workers, batch)});
    }
  }
  SpeedModel model(speed, Request(64));
  for (auto [nodes, workers] : {std::pair(1u, 3u), {2u, 6u}, {4u, 16u}}) {
    for (int64_t batch : {64, 128, 512}) {
      double expected = truth(nodes, workers, batch);
      EXPECT_NEAR(model.Seconds(nodes, workers, batch) / expected, 1, 0.03)
          << nodes << " " << workers << " " << batch;
    }
  }
}

TEST(SpeedModel, MoreRanksThatAreSlower_NoPartBelowZero) {
  SpeedModel model({{{1, 1, 64, 0.5}, {1, 2, 64, 1.0}, {1, 4, 64, 2.0}}, 0}, Request(64));
  EXPECT_LT(model.Goodput(1, 4, 64), model.Goodput(1, 1, 64));
  for (uint32_t workers = 1; workers < 64; ++workers) {
    EXPECT_GT(model.Seconds(1, workers, 64), 0) << workers;
  }
}

TEST(SpeedModel, LittleNoise_TheSmallestBatchIsBest_MuchNoise_TheLargest) {
  Speed speed{{{1, 1, 64, 0.2}, {1, 1, 128, 0.21}}, 8};  // a step hardly grows with the batch
  EXPECT_LE(SpeedModel(speed, Request(64, 1024)).Best(1, 1).batch, 128);
  speed.gradient_noise = 1e6;
  EXPECT_EQ(SpeedModel(speed, Request(64, 1024)).Best(1, 1).batch, 1024);
  speed.gradient_noise = 0;
  EXPECT_EQ(SpeedModel(speed, Request(64, 1024)).Best(1, 1).batch, 64) << "not known";
  speed.gradient_noise = 1e6;
  EXPECT_EQ(SpeedModel(speed, Request(64)).Best(1, 1).batch, 0) << "it does not move";
}

TEST(SpeedModel, BatchNotTold_IsTheMeasuredOne) {
  SpeedModel model({{{1, 2, 64, 1.0}}, 100}, JobRequest());
  BatchChoice best = model.Best(1, 4);
  EXPECT_EQ(best.batch, 0);
  EXPECT_GT(best.goodput, model.Best(1, 2).goodput);
}

TEST(SpeedModel, RanksMoreThanTheSmallestBatch_EachGetsASample) {
  SpeedModel model({{{1, 1, 4, 0.1}}, 100}, Request(4, 64));
  EXPECT_GE(model.Best(2, 16).batch, 16);
}

TEST(SpeedModel, NumbersThatAreNone_AreLeftOut) {
  Speed speed{{{1, 1, 64, NAN}, {1, 2, 64, -1}, {1, 4, 0, 1}, {1, 8, 64, INFINITY}}, NAN};
  SpeedModel model(speed, Request(64, 128));
  EXPECT_FALSE(model.known());
  EXPECT_EQ(model.Best(1, 1).batch, 64);
}

TEST(Measure, KeepsTheNewestOfASize_AndNotMoreThanItsBound) {
  Speed speed;
  Measure(&speed, {1, 1, 64, 1.0});
  Measure(&speed, {1, 1, 64, 2.0});
  ASSERT_EQ(speed.steps.size(), 1u);
  EXPECT_EQ(speed.steps[0].seconds, 2.0);
  for (uint32_t workers = 1; workers < 100; ++workers) Measure(&speed, {1, workers, 64, 1.0});
  EXPECT_EQ(speed.steps.size(), kMostStepTimes);
  EXPECT_EQ(speed.steps.back().workers, 99u) << "the newest is among them";
}

}  // namespace
}  // namespace coxswain::coordinator::core
