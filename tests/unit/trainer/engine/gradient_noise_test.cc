// Against linear regression, whose noise is known: with x ~ N(0, I) in d dimensions, a residual of
// variance s and parameters that are off by e, a sample's gradient (x.e - r) x has the mean e and
// the second moment (d + 2) |e|^2 + s d, so tr(cov) = (d + 1) |e|^2 + s d.
#include "trainer/engine/optim/gradient_noise.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "common/base/rng.h"

namespace coxswain::trainer::engine {
namespace {

constexpr int kDimensions = 4;
constexpr double kResidual = 8;                                           // variance
constexpr double kTrueScale = kDimensions + 1 + kResidual * kDimensions;  // |e| = 1
using Vector = std::array<double, kDimensions>;

double Normal(base::Rng& rng) {
  auto uniform = [&rng] { return (static_cast<double>(rng.Next() >> 11) + 0.5) * 0x1p-53; };
  return std::sqrt(-2 * std::log(uniform())) * std::cos(2 * M_PI * uniform());
}

double Squared(const Vector& v) {
  double sum = 0;
  for (double x : v) sum += x * x;
  return sum;
}

// Adds the gradients of so many samples; e is the first unit vector.
void AddSamples(base::Rng& rng, int64_t count, Vector* sum) {
  for (int64_t i = 0; i < count; ++i) {
    Vector x;
    for (double& value : x) value = Normal(rng);
    double residual = x[0] - std::sqrt(kResidual) * Normal(rng);
    for (int d = 0; d < kDimensions; ++d)
      (*sum)[static_cast<size_t>(d)] += residual * x[static_cast<size_t>(d)];
  }
}

// `pieces` have their gradients measured; `rest`: samples of the batch in none of them.
NoiseMeasurement Measure(base::Rng& rng, const std::vector<int64_t>& pieces, int64_t rest) {
  NoiseMeasurement measured;
  Vector whole{};
  measured.samples = rest;
  for (int64_t size : pieces) {
    Vector piece{};
    AddSamples(rng, size, &piece);
    measured.pieces += Squared(piece);
    measured.piece_samples += size;
    measured.piece_squares += static_cast<double>(size * size);
    measured.samples += size;
    for (size_t d = 0; d < kDimensions; ++d) whole[d] += piece[d];
  }
  AddSamples(rng, rest, &whole);
  measured.whole = Squared(whole);
  return measured;
}

double Estimate(const std::vector<int64_t>& pieces, int64_t rest) {
  base::Rng rng(11);
  GradientNoise noise;
  for (int i = 0; i < 120; ++i) noise.Add(Measure(rng, pieces, rest));
  return noise.scale();
}

TEST(GradientNoise, KnownProblem_WithinAFifthHoweverTheBatchIsCut) {
  EXPECT_NEAR(Estimate({128, 128}, 0), kTrueScale, 0.2 * kTrueScale);
  EXPECT_NEAR(Estimate({64, 64, 64, 64}, 0), kTrueScale, 0.2 * kTrueScale);
  EXPECT_NEAR(Estimate({86, 85, 85, 0}, 0), kTrueScale, 0.2 * kTrueScale);  // an idle rank
  EXPECT_NEAR(Estimate({128}, 128), kTrueScale, 0.2 * kTrueScale);          // a rank alone
}

// Exact sums give exact answers: |G|^2 = 4, tr(cov) = 60, pieces of 3 and 5.
TEST(GradientNoise, Unbiased_UnequalPieces) {
  NoiseMeasurement measured;
  measured.samples = measured.piece_samples = 8;
  measured.piece_squares = 9 + 25;
  measured.pieces = 4.0 * 34 + 60.0 * 8;
  measured.whole = 4.0 * 64 + 60.0 * 8;
  GradientNoise noise;
  for (int i = 0; i < 3; ++i) noise.Add(measured);
  EXPECT_EQ(noise.scale(), 0) << "too few to say";
  noise.Add(measured);
  EXPECT_NEAR(noise.scale(), 15, 1e-9);
  EXPECT_NEAR(noise.averages().signal, 4, 1e-9);
}

TEST(GradientNoise, WhatTellsNothingIsLeftOut) {
  GradientNoise noise;
  NoiseMeasurement whole;  // one piece that is the whole batch
  whole.samples = whole.piece_samples = 8;
  whole.piece_squares = 64;
  whole.pieces = whole.whole = 5;
  noise.Add(whole);
  noise.Add({});
  NoiseMeasurement broken = whole;
  broken.piece_squares = 32;
  broken.pieces = std::nan("");
  noise.Add(broken);
  EXPECT_EQ(noise.averages().count, 0);
}

TEST(GradientNoise, OnlyNoiseAndNoNoiseAreBounded) {
  GradientNoise noise;
  noise.Set({-0.1, 5, 10});
  EXPECT_EQ(noise.scale(), 1e9);
  noise.Set({1, -0.1, 10});
  EXPECT_EQ(noise.scale(), 1e-3);
}

TEST(LearningRateGain, BetweenNothingAndLinear) {
  using config::OptimizerName;
  EXPECT_DOUBLE_EQ(LearningRateGain(OptimizerName::kSgd, 512, 128, 0), 1);
  EXPECT_DOUBLE_EQ(LearningRateGain(OptimizerName::kSgd, 128, 128, 77), 1);
  EXPECT_NEAR(LearningRateGain(OptimizerName::kSgd, 512, 128, 1e9), 4, 1e-5);
  EXPECT_NEAR(LearningRateGain(OptimizerName::kSgd, 512, 128, 1e-3), 1, 1e-4);
  EXPECT_DOUBLE_EQ(LearningRateGain(OptimizerName::kSgd, 512, 128, 256), 4.0 * 384 / 768);
  EXPECT_DOUBLE_EQ(LearningRateGain(OptimizerName::kAdamW, 512, 128, 256), std::sqrt(2.0));
}

}  // namespace
}  // namespace coxswain::trainer::engine
