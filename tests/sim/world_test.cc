#include "sim/world.h"

#include <gtest/gtest.h>

namespace coxswain::sim {
namespace {

TEST(World, OneSeed_GivesOneDigest) {
  World first(12, Telling::kNothing), second(12, Telling::kLastLines);
  first.Run();
  second.Run();
  EXPECT_EQ(first.journal.digest(), second.journal.digest());
  EXPECT_EQ(first.queue.ran(), second.queue.ran());
  EXPECT_EQ(first.journal.counts(), second.journal.counts());
}

TEST(World, AnotherSeed_IsAnotherWorld) {
  World first(12, Telling::kNothing), second(13, Telling::kNothing);
  first.Run();
  second.Run();
  EXPECT_NE(first.journal.digest(), second.journal.digest());
}

// Worlds in which a checker, or a CHECK of a core, once found something.
class FoundOnce : public testing::TestWithParam<uint64_t> {};

TEST_P(FoundOnce, NothingIsWrongAnyMore) {
  World world(GetParam(), Telling::kNothing);
  world.Run();
  EXPECT_EQ(world.journal.failure(), "");
}

INSTANTIATE_TEST_SUITE_P(
    World, FoundOnce,
    testing::Values(
        17640,    // a bad proof of a store ended a job under its ranks
        24574,    // ranks were started on a machine too small, with another's identity
        31022,    // a start that no timer repeated
        41410,    // a worker that had not looked at its GPUs yet lost a job's checkpoints
        56535,    // a worker whose place was taken never heard of it
        87341,    // what waited for a machine that was gone held up all collections of its job
        99117,    // a rank ready before it was started, in a store that went back to then
        66817,    // a lost job, one that waited for its slots and one that waited for its limit
        113414,   // a job that was to grow where there was no rack
        58313,    // a save begun anew before the last rank had heard of its refusal
        27155));  // what people see was taken before its commit, in the simulator

}  // namespace
}  // namespace coxswain::sim
