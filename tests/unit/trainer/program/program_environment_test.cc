#include "trainer/program/program_environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace coxswain::trainer::program {
namespace {

using ::testing::Contains;
using ::testing::Not;
using ::testing::StartsWith;

ProgramPlace Place() {
  ProgramPlace place;
  place.rank = 3;
  place.world_size = 4;
  place.local_rank = 1;
  place.local_world_size = 2;
  place.node_rank = 1;
  place.nodes = 2;
  place.master_address = "10.0.0.1";
  place.master_port = 4711;
  place.job = "j7";
  place.attempt = 2;
  place.max_attempts = 3;
  place.metrics_path = "/r/metrics";
  place.checkpoint_dir = "/r/checkpoints";
  return place;
}

TEST(ProgramEnvironment, IsTorchruns) {
  auto all = ProgramEnvironment({{"PATH", "/bin"}}, Place());
  for (const char* expected :
       {"PATH=/bin", "RANK=3", "WORLD_SIZE=4", "LOCAL_RANK=1", "LOCAL_WORLD_SIZE=2", "GROUP_RANK=1",
        "GROUP_WORLD_SIZE=2", "MASTER_ADDR=10.0.0.1", "MASTER_PORT=4711",
        "TORCHELASTIC_RESTART_COUNT=1", "TORCHELASTIC_MAX_RESTARTS=2", "TORCHELASTIC_RUN_ID=j7",
        "TORCHELASTIC_USE_AGENT_STORE=False", "COXSWAIN_METRICS=/r/metrics",
        "COXSWAIN_CHECKPOINT_DIR=/r/checkpoints", "PYTHONUNBUFFERED=1"}) {
    EXPECT_THAT(all, Contains(expected));
  }
  EXPECT_THAT(all, Not(Contains(StartsWith("COXSWAIN_RESUME_DIR")))) << "it starts afresh";
}

TEST(ProgramEnvironment, TheAgentsOwnIsLeftOut_AndTheUsersIsKept) {
  auto all = ProgramEnvironment({{"COXSWAIN_SOCKET", "x"}, {"PYTHONUNBUFFERED", ""}}, Place());
  EXPECT_THAT(all, Not(Contains(StartsWith("COXSWAIN_SOCKET"))));
  EXPECT_THAT(all, Contains("PYTHONUNBUFFERED="));
}

TEST(ProgramEnvironment, OneGpuARank_SeesThoseOfItsNode) {
  ProgramPlace place = Place();
  place.gpus = 1;
  place.node_gpus = {"GPU-a", "GPU-b"};
  EXPECT_THAT(ProgramEnvironment({{"CUDA_VISIBLE_DEVICES", "GPU-b"}}, place),
              Contains("CUDA_VISIBLE_DEVICES=GPU-a,GPU-b"));
  place.gpus = 2;
  EXPECT_THAT(ProgramEnvironment({{"CUDA_VISIBLE_DEVICES", "GPU-c,GPU-d"}}, place),
              Contains("CUDA_VISIBLE_DEVICES=GPU-c,GPU-d"));
}

}  // namespace
}  // namespace coxswain::trainer::program
