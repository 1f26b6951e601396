// What is said of a store that is waited for.
#include "trainer/blob/patience.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trainer/blob/file_errors.h"

namespace coxswain::trainer::blob {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Patience, FullIsNotUnreachable) {
  Patience patience({}, "checkpoint store file:///ckpt");
  EXPECT_EQ(patience.waiting_for(), "");
  patience.Failed(FileError("write", "/tmp/none/shard", ENOSPC));
  EXPECT_THAT(patience.waiting_for(),
              AllOf(StartsWith("checkpoint store file:///ckpt full since "),
                    HasSubstr(": cannot write /tmp/none/shard: No space left on device, "),
                    HasSubstr(" free of "), HasSubstr("; free some, or choose another place")));
  patience.Failed(absl::UnavailableError("connection refused"));
  EXPECT_THAT(patience.waiting_for(),
              StartsWith("checkpoint store file:///ckpt unreachable since "));
  patience.Succeeded();
  EXPECT_EQ(patience.waiting_for(), "");
}

}  // namespace
}  // namespace coxswain::trainer::blob
