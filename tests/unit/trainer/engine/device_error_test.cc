// What CUDA says of a GPU, and what becomes of the rank. No GPU is needed: the errors are given.
#include "trainer/engine/device/device_error.h"

#include <c10/util/Exception.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>

#include "ranks.h"
#include "texts.h"

namespace coxswain::trainer::engine {
namespace {

using ::testing::HasSubstr;

// As LibTorch's c10_cuda_check throws it.
c10::AcceleratorError Coded(int code, const std::string& words) {
  return {{"CUDAException.cpp", "f", 1}, code, "CUDA error: " + words + "\nSearch for it ..."};
}

TEST(DeviceError, ByCodeWhereThereIsOne) {
  for (int code : {46, 214, 220, 700, 702, 714, 715, 716, 719, 999}) {
    EXPECT_EQ(TroubleOf(Coded(code, "some words")), DeviceTrouble::kLost) << code;
  }
  EXPECT_EQ(TroubleOf(Coded(2, "out of memory")), DeviceTrouble::kOutOfMemory);
  EXPECT_EQ(TroubleOf(Coded(710, "device-side assert triggered")), DeviceTrouble::kAssertion);
  for (int code : {1, 9, 98, 209}) {  // invalid value, configuration, device function; no kernel
    EXPECT_EQ(TroubleOf(Coded(code, "some words")), DeviceTrouble::kNone) << code;
  }
}

TEST(DeviceError, ByWordsOfTheLibrariesThatGiveNoCode) {
  const auto of = [](const char* text) { return TroubleOf(std::runtime_error(text)); };
  EXPECT_EQ(of("CUDA error: an illegal memory access was encountered"), DeviceTrouble::kLost);
  EXPECT_EQ(of("CUDA error: uncorrectable ECC error encountered"), DeviceTrouble::kLost);
  EXPECT_EQ(of("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), DeviceTrouble::kLost);
  EXPECT_EQ(of("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
            DeviceTrouble::kOutOfMemory);
  EXPECT_EQ(of("CUDA error: device-side assert triggered"), DeviceTrouble::kAssertion);
  EXPECT_EQ(of("NCCL error: unhandled system error"), DeviceTrouble::kNone) << "a peer's fault";
  EXPECT_EQ(of("mat1 and mat2 shapes cannot be multiplied"), DeviceTrouble::kNone);
}

// A rank alone whose first pass ends so.
absl::Status StatusAfter(const std::function<void()>& fails) {
  config::JobSpec spec = TextSpec(config::Recipe::kGpt);
  const auto tokens = MakeTokens(301, 19, 8);
  std::unique_ptr<Engine> engine = MakeEngine();
  EngineSettings settings;
  settings.spec = spec;
  settings.before_pass = [&](int64_t, bool) { fails(); };
  CHECK(engine->Prepare(settings, {tokens.get(), nullptr}).ok());
  GroupSettings group;
  group.generation = base::Generation(1);
  group.world_size = 1;
  CHECK(engine->Join(group, StartAfresh).ok());
  return engine->Step({}).status();
}

TEST(DeviceError, ALostGpuIsToldFromTheUsersErrorsAndFromAWantOfMemory) {
  const absl::Status lost =
      StatusAfter([] { throw Coded(700, "an illegal memory access was encountered"); });
  EXPECT_TRUE(absl::IsCancelled(lost)) << lost;
  EXPECT_EQ(lost.message(),
            "the GPU is lost to this process, which ends: CUDA error: an illegal memory access was "
            "encountered");
  const absl::Status full = StatusAfter([] { throw Coded(2, "out of memory"); });
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  EXPECT_THAT(full.message(), HasSubstr("with one sample at a time")) << "halved until then";
  const absl::Status bug = StatusAfter([] { throw Coded(710, "device-side assert triggered"); });
  EXPECT_TRUE(absl::IsInternal(bug)) << bug;
}

// Copies of a state on a GPU are those of the step that is saved, not of the first that was.
TEST(HostCopies, OfEachStepAreItsOwn) {
  const config::JobSpec spec = TextSpec(config::Recipe::kGpt);
  const auto tokens = MakeTokens(301, 19, 8);
  for (uint32_t ranks : {1u, 2u}) {
    const Datasets sets{tokens.get(), nullptr};
    const Curve plain = Train(spec, sets, ranks, 4);
    const Curve copied = Train(spec, sets, ranks, 4, nullptr, {.copy_state = true});
    EXPECT_EQ(plain.end.bytes, copied.end.bytes);
  }
}

// The path of one rank on a GPU, where memory may run out in the midst of a pass that is summed.
TEST(GroupOfOne, TrainsAsARankAlone_AlsoWhereMemoryRunsOutInBackward) {
  config::JobSpec spec = TextSpec(config::Recipe::kGpt);
  spec.train.global_batch_size = 12;
  const auto tokens = MakeTokens(301, 19, 8);
  const Datasets sets{tokens.get(), nullptr};
  const Curve plain = Train(spec, sets, 1, 5);
  const Curve group = Train(spec, sets, 1, 5, nullptr, {.group_alone = true});
  const auto too_many = [](int64_t samples, bool backward) {
    if (backward && samples > 3) throw Coded(2, "out of memory");
  };
  const Curve halved =
      Train(spec, sets, 1, 5, nullptr, {.before_pass = too_many, .group_alone = true});
  EXPECT_EQ(halved.results.back().most_at_once, 3);
  for (size_t i = 0; i < plain.losses.size(); ++i) {
    EXPECT_NEAR(group.losses[i], plain.losses[i], 1e-11) << i;
    EXPECT_NEAR(halved.losses[i], plain.losses[i], 1e-11) << i;
  }
}

}  // namespace
}  // namespace coxswain::trainer::engine
