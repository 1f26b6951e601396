// What `cox` returns. Scripts and CI pipelines depend on these numbers.
#pragma once

#include "absl/status/status.h"
#include "cli/rpc/api.h"

namespace coxswain::cli::verbs {

enum ExitCode : int {
  kSuccess = 0,
  kUnreachable = 1,  // cannot reach the coordinator, or the call failed
  kUsage = 2,
  kUserFailure = 100,  // the job failed in the user's code, data or settings
  kNotFinished = 101,
  kNotFound = 102,
  kCancelled = 103,
  kInfrastructure = 104,  // machines, network or storage failed, after all retries
  kTimeLimit = 105,       // timed out, or preempted for good
  kRejected = 106,        // the job file or the submission was refused
  kTimeout = 124,         // --timeout ran out
  kBrokenPipe = 141,      // nobody reads the output any more: what a shell makes of SIGPIPE
};

// Of a job as it is now: kNotFinished until it has ended.
ExitCode ExitCodeOf(const rpc::Job& job);

// Of a failed call. `submitting`: refusals mean that the job was rejected.
ExitCode ExitCodeOf(const absl::Status& status, bool submitting);

}  // namespace coxswain::cli::verbs
