#include "cli/verbs/exit_code.h"

#include "cli/rpc/client.h"

namespace coxswain::cli::verbs {

ExitCode ExitCodeOf(const rpc::Job& job) {
  if (!rpc::HasEnded(job)) return kNotFinished;
  if (job.state == "COMPLETED") return kSuccess;
  if (job.state == "CANCELLED") return kCancelled;
  if (job.state == "TIMEOUT" || job.state == "PREEMPTED") return kTimeLimit;
  if (job.state == "NODE_FAIL") return kInfrastructure;
  switch (job.cause) {  // FAILED, OUT_OF_MEMORY
    case rpc::Cause::kInfrastructure:
      return kInfrastructure;
    case rpc::Cause::kTimeLimit:
    case rpc::Cause::kPreempted:
    case rpc::Cause::kResized:
      return kTimeLimit;
    case rpc::Cause::kCancelled:
      return kCancelled;
    case rpc::Cause::kNone:
    case rpc::Cause::kUser:
    case rpc::Cause::kOutOfMemory:
      return kUserFailure;
  }
  return kUserFailure;
}

ExitCode ExitCodeOf(const absl::Status& status, bool submitting) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kSuccess;
    case absl::StatusCode::kNotFound:
      return kNotFound;
    case absl::StatusCode::kDeadlineExceeded:
      return kTimeout;
    case absl::StatusCode::kInvalidArgument:
      return submitting && rpc::HasMistakes(status) ? kRejected : kUsage;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAlreadyExists:
      return submitting ? kRejected : kUnreachable;
    default:
      return kUnreachable;
  }
}

}  // namespace coxswain::cli::verbs
