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

// An object's error has its whole path or URI: the store's is told once.
TEST(Patience, ThePlaceIsToldOnce) {
  Patience files({}, "checkpoint store file:///ckpt", "file:///ckpt");
  files.Failed(FileError("write", "/ckpt/cl/j1/step-1/shard", ENOSPC));
  EXPECT_THAT(files.waiting_for(), AllOf(StartsWith("checkpoint store file:///ckpt full since "),
                                         HasSubstr(": cannot write cl/j1/step-1/shard: ")));
  Patience objects({}, "checkpoint store s3://b/ckpt", "s3://b/ckpt");
  objects.Failed(absl::UnavailableError("cannot write s3://b/ckpt/cl/shard: 503"));
  EXPECT_THAT(objects.waiting_for(),
              AllOf(StartsWith("checkpoint store s3://b/ckpt unreachable since "),
                    HasSubstr(": cannot write cl/shard: 503")));
}

}  // namespace
}  // namespace coxswain::trainer::blob
