// The worker's GPU watch with the real NVML.
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/common/rpc/arrivals.h"
#include "worker/gpu/gpu_watch.h"

namespace coxswain::worker::gpu {
namespace {

TEST(RealGpu, IsSeenAndFreeToGiveOut) {
  if (access("/dev/nvidiactl", F_OK) != 0) GTEST_SKIP() << "no NVIDIA GPU on this machine";
  test::Arrivals<Observation> seen;
  GpuWatch watch({"libnvidia-ml.so.1"}, [&](const Observation& one) { seen.Add(one); });
  Observation first = seen.Take();
  ASSERT_FALSE(first.gpus.empty()) << first.note;
  for (const core::GpuFacts& gpu : first.gpus) {
    printf("%s %s %ld MiB, %zu processes, xid %lu, ecc %lu %s\n", gpu.uuid.c_str(),
           gpu.name.c_str(), static_cast<long>(gpu.memory_bytes >> 20), gpu.processes.size(),
           static_cast<unsigned long>(gpu.fatal_xid),
           static_cast<unsigned long>(gpu.uncorrectable_ecc), gpu.problem.c_str());
    EXPECT_EQ(gpu.uuid.rfind("GPU-", 0), 0u) << gpu.uuid;
    EXPECT_FALSE(gpu.name.empty());
    EXPECT_GT(gpu.memory_bytes, int64_t{1} << 30);
    EXPECT_EQ(gpu.problem, "");
  }
}

}  // namespace
}  // namespace coxswain::worker::gpu
