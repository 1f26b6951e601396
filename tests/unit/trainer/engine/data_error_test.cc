// What an error of the data comes to once training has begun.
#include <gtest/gtest.h>

#include "trainer/engine/training/guard.h"

namespace coxswain::trainer::engine {
namespace {

TEST(OfData, WhatHasVanished_IsTheDatasFault) {
  EXPECT_EQ(OfData(absl::NotFoundError("spec.data.train.files: cannot open /d/p0.csv")),
            absl::FailedPreconditionError("spec.data.train.files: cannot open /d/p0.csv; it was "
                                          "there when this attempt began: put it back as it was"));
  EXPECT_EQ(OfData(absl::PermissionDeniedError("cannot read /d/p0.csv")),
            absl::FailedPreconditionError(
                "cannot read /d/p0.csv; it could be read when this attempt began"));
  EXPECT_EQ(OfData(absl::InvalidArgumentError("p0.csv: row 7: found 4 values")).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(OfData, AStoreThatIsAway_IsNoPeerThatIsGone) {
  EXPECT_EQ(OfData(absl::UnavailableError("503")), absl::DeadlineExceededError("503"));
  EXPECT_EQ(OfData(absl::DataLossError("hash differs")), absl::DataLossError("hash differs"));
}

}  // namespace
}  // namespace coxswain::trainer::engine
