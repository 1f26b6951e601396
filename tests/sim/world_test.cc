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

}  // namespace
}  // namespace coxswain::sim
