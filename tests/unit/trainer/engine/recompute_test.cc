// Activation checkpointing: the same bits, and less memory.
#include <ATen/core/Tensor.h>
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "ranks.h"
#include "texts.h"

namespace coxswain::trainer::engine {
namespace {

// What this thread's tensors take, as LibTorch's allocator tells its profiler.
class MemoryCount : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, int64_t bytes, size_t, size_t, c10::Device) override {
    now_ += bytes;
    peak_ = std::max(peak_, now_);
  }
  bool memoryProfilingEnabled() const override { return true; }
  int64_t peak() const { return peak_; }

 private:
  int64_t now_ = 0, peak_ = 0;
};

config::JobSpec Spec(config::Recipe recipe) {
  config::JobSpec spec = TextSpec(recipe);
  spec.model.transformer.layers = 3;
  if (recipe == config::Recipe::kGpt) spec.model.dropout = 0.2;
  return spec;
}

TEST(ActivationCheckpointing, SameBitsWithAnyRanksAndMicroBatches) {
  const auto tokens = MakeTokens(301, 19, 8);
  for (auto recipe : {config::Recipe::kGpt, config::Recipe::kLlama}) {
    for (int64_t micro_batch : {0, 3}) {
      for (uint32_t world : {1u, 2u}) {
        config::JobSpec spec = Spec(recipe);
        spec.train.micro_batch_size = micro_batch;
        const Curve plain = Train(spec, {tokens.get(), nullptr}, world, 8);
        spec.model.activation_checkpointing = true;
        const Curve recomputed = Train(spec, {tokens.get(), nullptr}, world, 8);
        EXPECT_EQ(plain.losses, recomputed.losses);
        EXPECT_EQ(plain.end.bytes, recomputed.end.bytes);
      }
    }
  }
}

TEST(ActivationCheckpointing, MixedPrecision_IsRecomputedInIt) {
  const auto tokens = MakeTokens(301, 19, 8);
  config::JobSpec spec = Spec(config::Recipe::kGpt);
  spec.train.precision = config::Precision::kBf16;
  const Curve plain = Train(spec, {tokens.get(), nullptr}, 1, 4);
  spec.model.activation_checkpointing = true;
  const Curve recomputed = Train(spec, {tokens.get(), nullptr}, 1, 4);
  EXPECT_EQ(plain.losses, recomputed.losses);
  EXPECT_EQ(plain.end.bytes, recomputed.end.bytes);
}

int64_t PeakOfAStep(config::JobSpec spec, bool checkpointing) {
  const auto tokens = MakeTokens(2049, 19, 64);
  spec.workers = 1;
  spec.model.transformer.layers = 8;
  spec.model.activation_checkpointing = checkpointing;
  spec.data.text.sequence_length = 64;
  spec.train.global_batch_size = 16;
  auto count = std::make_shared<MemoryCount>();
  c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, count);
  Train(spec, {tokens.get(), nullptr}, 1, 1);
  return count->peak();
}

TEST(ActivationCheckpointing, EightLayers_TakeLessThanHalfTheMemory) {
  for (auto recipe : {config::Recipe::kGpt, config::Recipe::kLlama}) {
    const int64_t plain = PeakOfAStep(Spec(recipe), false);
    const int64_t recomputed = PeakOfAStep(Spec(recipe), true);
    EXPECT_LT(2 * recomputed, plain) << recomputed << " of " << plain << " bytes";
  }
}

}  // namespace
}  // namespace coxswain::trainer::engine
