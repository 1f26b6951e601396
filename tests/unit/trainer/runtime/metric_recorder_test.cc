#include "trainer/runtime/metric_recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace coxswain::trainer {
namespace {

engine::StepResult Step(int64_t step) {
  engine::StepResult result;
  result.step = step;
  result.samples = 64;
  result.loss = 0.5;
  result.data = base::milliseconds(1);
  result.total = base::milliseconds(20);
  return result;
}

// A job so short that its first snapshot comes before the first second has passed.
std::map<std::string, protocol::MetricPoint> Points(MetricRecorder& recorder,
                                                    const engine::StepResult& step,
                                                    base::Rank rank = 0) {
  recorder.AddStep(step, rank, base::Generation(1));
  recorder.AddSnapshot(base::milliseconds(7));
  std::map<std::string, protocol::MetricPoint> out;
  for (const protocol::MetricPoint& point : recorder.Take()) out[point.name] = point;
  return out;
}

TEST(MetricRecorder, PhasesAreMeansOfAStep_WithTheCheckpointsShareAndMemory) {
  MetricRecorder recorder(1);
  engine::StepResult cold = Step(1);
  cold.total = base::milliseconds(60);
  recorder.AddStep(cold, 3, base::Generation(1));
  EXPECT_TRUE(recorder.Take().empty()) << "the first step alone tells little";
  const auto points = Points(recorder, Step(2), 3);
  EXPECT_EQ(points.at("phase.step_ms").value, 40);
  EXPECT_EQ(points.at("phase.step_ms").step, 2);
  EXPECT_EQ(points.at("phase.data_ms").value, 1);
  EXPECT_EQ(points.at("phase.checkpoint_ms").value, 3.5);
  EXPECT_EQ(points.at("phase.checkpoint_ms").rank, 3);
  EXPECT_GT(points.at("peak_memory_bytes").value, 1 << 20);
  EXPECT_EQ(points.count("loss"), 0u) << "rank 0 tells it";
}

TEST(MetricRecorder, ArithmeticIsToldByRank0_AndUtilisationWhereThePeakIsKnown) {
  MetricRecorder unknown(1), cpu(1), gpu(1), other(1);
  EXPECT_EQ(Points(unknown, Step(1)).count("model_flops_per_second"), 0u);
  cpu.SetWork({1000, 0});
  const auto on_cpu = Points(cpu, Step(1));
  EXPECT_DOUBLE_EQ(on_cpu.at("model_flops_per_second").value, 1000 * 64 / 0.02);
  EXPECT_EQ(on_cpu.at("model_flops_per_second").rank, -1);
  EXPECT_EQ(on_cpu.count("model_flop_utilisation"), 0u);
  gpu.SetWork({1000, 1e7});
  EXPECT_DOUBLE_EQ(Points(gpu, Step(1)).at("model_flop_utilisation").value, 0.32);
  other.SetWork({1000, 1e7});
  EXPECT_EQ(Points(other, Step(1), 1).count("model_flops_per_second"), 0u);
}

TEST(MetricRecorder, AGpusMemoryIsToldByEachRank) {
  MetricRecorder cpu(1), gpu(1);
  EXPECT_EQ(Points(cpu, Step(1), 2).count("gpu_peak_memory_bytes"), 0u);
  gpu.SetWork({0, 0, [] { return int64_t{5} << 30; }});
  const auto points = Points(gpu, Step(1), 2);
  EXPECT_EQ(points.at("gpu_peak_memory_bytes").value, 5.0 * (1 << 30));
  EXPECT_EQ(points.at("gpu_peak_memory_bytes").rank, 2);
}

TEST(MetricRecorder, TheGradientsNormIsToldWhereItIsANumber) {
  MetricRecorder recorder(1);
  engine::StepResult step = Step(1);
  EXPECT_EQ(Points(recorder, step).count("gradient_norm"), 0u);
  step.gradient_norm = INFINITY;
  EXPECT_EQ(Points(recorder, step).count("gradient_norm"), 0u);
  step.gradient_norm = 2.5;
  EXPECT_EQ(Points(recorder, step).at("gradient_norm").value, 2.5);
}

}  // namespace
}  // namespace coxswain::trainer
