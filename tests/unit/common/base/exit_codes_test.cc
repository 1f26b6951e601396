#include "common/base/exit_codes.h"

#include <gtest/gtest.h>

namespace coxswain::base {
namespace {

// systemd units, scripts and docs/architecture.md know these numbers.
TEST(DaemonExitCode, NumbersAreAPromise) {
  EXPECT_EQ(kDaemonEnded, 0);
  EXPECT_EQ(kDaemonDisk, 74);
  EXPECT_EQ(kDaemonBusy, 75);
  EXPECT_EQ(kDaemonConfig, 78);
}

TEST(DaemonExitCode, OfAStatus) {
  EXPECT_EQ(DaemonExitOf(6), kDaemonBusy);     // ALREADY_EXISTS: a port or directory in use
  EXPECT_EQ(DaemonExitOf(8), kDaemonDisk);     // RESOURCE_EXHAUSTED: the disk is full
  EXPECT_EQ(DaemonExitOf(14), kDaemonDisk);    // UNAVAILABLE: an I/O error
  EXPECT_EQ(DaemonExitOf(7), kDaemonConfig);   // PERMISSION_DENIED: read-only
  EXPECT_EQ(DaemonExitOf(15), kDaemonConfig);  // DATA_LOSS: a damaged file
  EXPECT_EQ(DaemonExitOf(9), kDaemonConfig);   // FAILED_PRECONDITION
}

}  // namespace
}  // namespace coxswain::base
