#include "worker/gpu/gpu_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/common/rpc/arrivals.h"

namespace coxswain::worker::gpu {
namespace {

using ::testing::HasSubstr;

class GpuWatchTest : public testing::Test {
 protected:
  void SetUp() override {
    file_ = testing::TempDir() + "fake-nvml-" + std::to_string(getpid());
    setenv("FAKE_NVML", file_.c_str(), 1);
  }
  void TearDown() override {
    Say("");  // a call that hangs comes back
    watch_.reset();
    std::filesystem::remove(file_);
  }
  // What the library reports from its next look on.
  void Say(const std::string& text) {
    std::ofstream(file_ + ".new") << text;
    std::filesystem::rename(file_ + ".new", file_);
  }
  void Watch(const std::string& library = FAKE_NVML_LIBRARY) {
    GpuWatch::Settings settings{library, base::milliseconds(2), base::milliseconds(20)};
    watch_.emplace(settings, [this](const Observation& seen) { seen_.Add(seen); });
  }

  std::string file_;
  test::Arrivals<Observation> seen_;
  std::optional<GpuWatch> watch_;
};

TEST_F(GpuWatchTest, NoLibrary_SaysSo) {
  Watch("libno-such-nvml.so");
  EXPECT_EQ(seen_.Take().note, "libno-such-nvml.so not found");
}

TEST_F(GpuWatchTest, NoDriver_SaysSo) {
  Watch();
  EXPECT_EQ(seen_.Take().note, "NVML: Driver Not Loaded");
}

TEST_F(GpuWatchTest, ReportsWhatIsThere) {
  Say("GPU-a\nGPU-b pid=" + std::to_string(getpid()) + "\n");
  Watch();
  Observation seen = seen_.Take();
  ASSERT_EQ(seen.gpus.size(), 2u);
  EXPECT_EQ(seen.gpus[0].uuid, "GPU-a");
  EXPECT_EQ(seen.gpus[0].name, "Fake H100");
  EXPECT_EQ(seen.gpus[0].memory_bytes, int64_t{80} << 30);
  EXPECT_TRUE(seen.gpus[0].processes.empty());
  ASSERT_EQ(seen.gpus[1].processes.size(), 1u);
  EXPECT_EQ(seen.gpus[1].processes[0].pid, getpid());
  EXPECT_THAT(seen.gpus[1].processes[0].name, HasSubstr("worker_gpu"));
}

TEST_F(GpuWatchTest, FaultsAreSeen_AndAFatalXidIsRemembered) {
  Say("GPU-a xid=79\nGPU-b xid=31\nGPU-c ecc=3\nGPU-d lost\n");
  Watch();
  Observation seen = seen_.Take();
  ASSERT_EQ(seen.gpus.size(), 4u);
  EXPECT_EQ(seen.gpus[0].fatal_xid, 79u);
  EXPECT_EQ(seen.gpus[1].fatal_xid, 0u);  // 31 blames the program
  EXPECT_EQ(seen.gpus[2].uncorrectable_ecc, 3u);
  EXPECT_EQ(seen.gpus[3].problem, "NVML: GPU is lost");
  Say("GPU-a\n");
  seen = seen_.Take();
  ASSERT_EQ(seen.gpus.size(), 1u);
  EXPECT_EQ(seen.gpus[0].fatal_xid, 79u);
}

TEST_F(GpuWatchTest, CallHangs_GpusAreUnavailableUntilItAnswers) {
  Say("GPU-a\n");
  Watch();
  EXPECT_EQ(seen_.Take().gpus[0].problem, "");
  Say("hang\n");
  EXPECT_THAT(seen_.Take().gpus[0].problem, HasSubstr("NVML does not answer since "));
  Say("GPU-a\n");
  EXPECT_EQ(seen_.Take().gpus[0].problem, "");
}

TEST_F(GpuWatchTest, EndsWithoutWaitingForACallThatHangs) {
  Say("hang\n");
  Watch();
  EXPECT_THAT(seen_.Take().note, HasSubstr("NVML does not answer since "));
  watch_.reset();
}

}  // namespace
}  // namespace coxswain::worker::gpu
