// Reads a job file for the verbs that take one.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "cli/rpc/client.h"
#include "cli/verbs/session.h"
#include "common/config/job_parser.h"

namespace CLI {
class App;
}

namespace coxswain::cli::verbs {

struct JobFileFlags {
  std::string file;                  // "-": standard input
  std::vector<std::string> changes;  // --set
};
// Declares FILE and --set.
void AddJobFileFlags(CLI::App* verb, JobFileFlags* flags);

struct JobFile {
  config::JobSpec spec;
  rpc::SubmitRequest request;  // yaml, file_name and overrides; paths made absolute
};

// Reads and checks it. The other alternative is an exit code, everything having been said on
// stderr: every mistake, a line each (kRejected), or that the file cannot be read (kUsage).
// Warnings are printed too.
std::variant<JobFile, int> ReadJobFile(const Session& session, const JobFileFlags& flags);

// A refusal that begins with a key ("spec.data.train.images: cannot open ...") with the place where
// the user gave that key put in front: "job.yaml:14: spec.data...". Others as they are.
absl::Status WithPlace(const absl::Status& refusal, const JobFileFlags& flags,
                       const std::string& yaml);

}  // namespace coxswain::cli::verbs
