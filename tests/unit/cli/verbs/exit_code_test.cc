#include "cli/verbs/exit_code.h"

#include <gtest/gtest.h>

namespace coxswain::cli::verbs {
namespace {

using rpc::Cause;

ExitCode Of(const std::string& state, Cause cause = Cause::kNone) {
  rpc::Job job;
  job.state = state;
  job.cause = cause;
  return ExitCodeOf(job);
}

TEST(ExitCode, OfJobs) {
  EXPECT_EQ(Of("COMPLETED"), 0);
  EXPECT_EQ(Of("FAILED", Cause::kUser), 100);
  EXPECT_EQ(Of("FAILED"), 100);
  EXPECT_EQ(Of("OUT_OF_MEMORY", Cause::kOutOfMemory), 100);
  for (const char* state : {"PENDING", "RUNNING", "RECOVERING", "UNSPECIFIED"})
    EXPECT_EQ(Of(state), 101);
  EXPECT_EQ(Of("CANCELLED", Cause::kCancelled), 103);
  EXPECT_EQ(Of("FAILED", Cause::kInfrastructure), 104);
  EXPECT_EQ(Of("NODE_FAIL", Cause::kInfrastructure), 104);
  EXPECT_EQ(Of("TIMEOUT", Cause::kTimeLimit), 105);
  EXPECT_EQ(Of("PREEMPTED"), 105);
}

TEST(ExitCode, OfFailedCalls) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus(), false), 0);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError(""), false), 1);
  EXPECT_EQ(ExitCodeOf(absl::UnauthenticatedError(""), false), 1);
  EXPECT_EQ(ExitCodeOf(absl::FailedPreconditionError(""), false), 1);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError(""), false), 2);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError(""), true), 102);
  EXPECT_EQ(ExitCodeOf(absl::DeadlineExceededError(""), true), 124);
}

TEST(ExitCode, OfRefusedSubmissions) {
  for (const absl::Status& refusal :
       {absl::FailedPreconditionError(""), absl::AlreadyExistsError("")}) {
    EXPECT_EQ(ExitCodeOf(refusal, true), 106) << refusal;
  }
  // Not the job file, but another part of the request: a flag.
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError(""), true), 2);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError(""), true), 1);
  // The coordinator's disk is full, or it has too many jobs: nothing is wrong with this one.
  EXPECT_EQ(ExitCodeOf(absl::ResourceExhaustedError(""), true), 1);
}

}  // namespace
}  // namespace coxswain::cli::verbs
