// What a failure comes to, and what a checkpoint keeps of the gradient noise.
#include <gtest/gtest.h>

#include <cmath>

#include "trainer/runtime/engine_loop.h"
#include "trainer/runtime/noise_text.h"

namespace coxswain::trainer {
namespace {

using protocol::FailureKind;

void Expect(const absl::Status& status, FailureKind unfit, FailureKind kind, int code) {
  core::EngineFailed failed = FailureOf(status, unfit);
  EXPECT_EQ(failed.kind, kind) << status;
  EXPECT_EQ(failed.exit_code, code) << status;
  EXPECT_EQ(failed.reason, status.message());
}

TEST(FailureOf, TellsKindsApart) {
  // The same code is data while data is read, and settings while a model is built or restored.
  Expect(absl::NotFoundError("a"), FailureKind::kData, FailureKind::kData,
         protocol::kExitUserError);
  Expect(absl::InvalidArgumentError("b"), FailureKind::kData, FailureKind::kData,
         protocol::kExitUserError);
  Expect(absl::InvalidArgumentError("c"), FailureKind::kSettings, FailureKind::kSettings,
         protocol::kExitUserError);
  Expect(absl::FailedPreconditionError("d"), FailureKind::kSettings, FailureKind::kData,
         protocol::kExitUserError);
  Expect(absl::ResourceExhaustedError("e"), FailureKind::kSettings, FailureKind::kOutOfMemory,
         protocol::kExitOutOfMemory);
  Expect(absl::UnavailableError("f"), FailureKind::kData, FailureKind::kStore,
         protocol::kExitInfrastructure);
  Expect(absl::DataLossError("g"), FailureKind::kSettings, FailureKind::kStore,
         protocol::kExitInfrastructure);
  Expect(absl::CancelledError("a GPU that is lost"), FailureKind::kSettings, FailureKind::kDevice,
         protocol::kExitInfrastructure);
  Expect(absl::InternalError("h"), FailureKind::kSettings, FailureKind::kBug,
         protocol::kExitInternal);
}

TEST(NoiseText, SameAveragesComeBack_AndOtherTextsAreNone) {
  engine::NoiseAverages averages{0.1 + 0.2, 1e-300, 37};
  engine::NoiseAverages read = ParseNoise(NoiseText(averages));
  EXPECT_EQ(read.signal, averages.signal);
  EXPECT_EQ(read.noise, averages.noise);
  EXPECT_EQ(read.count, 37);
  for (const char* text : {"", "1 2", "nan 1 5", "1 inf 5", "1 2 -3", "x y z"}) {
    EXPECT_EQ(ParseNoise(text).count, 0) << text;
    EXPECT_EQ(ParseNoise(text).signal, 0) << text;
  }
}

}  // namespace
}  // namespace coxswain::trainer
