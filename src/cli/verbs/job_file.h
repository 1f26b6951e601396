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

struct ResumeFlags {
  std::string from;  // --resume-from: a job or a checkpoint's URI; empty: not given
  bool uncommitted = false;
};
// Declares --resume-from and --uncommitted, which needs it.
void AddResumeFlags(CLI::App* verb, ResumeFlags* flags);

struct JobFile {
  config::JobSpec spec;
  std::vector<std::string> warnings;
  rpc::SubmitRequest request;  // yaml, file_name and overrides; paths made absolute
};

// Reads and checks it. The other alternative is an exit code, everything having been said on
// stderr: every mistake, a line each (kRejected), or that the file cannot be read (kUsage).
// `found`, if given, gets the mistakes of a wrong file before they are said, and may add to them.
using FoundMistakes =
    std::function<void(const rpc::SubmitRequest& request, std::vector<config::Mistake>* mistakes)>;
std::variant<JobFile, int> ReadJobFile(const Session& session, const JobFileFlags& flags,
                                       const FoundMistakes& found = {});

// How messages call it: its path, or "stdin".
std::string NameOf(const JobFileFlags& flags);

// The parts of ReadJobFile that say nothing: the file's text (FailedPrecondition: it cannot be
// read), and what is in it.
absl::StatusOr<std::string> ReadText(const JobFileFlags& flags);
// Packs spec.code, if it is a directory, into `code`; what is wrong with it is a mistake like
// others.
std::variant<config::ParsedJob, std::vector<config::Mistake>> Parse(
    const JobFileFlags& flags, const std::string& text, std::shared_ptr<const rpc::Code>* code);

// A refusal that begins with a key ("spec.data.train.images: cannot open ...") with the place where
// the user gave that key put in front: "job.yaml:14: spec.data...". Others as they are.
absl::Status WithPlace(const absl::Status& refusal, const JobFileFlags& flags,
                       const std::string& yaml);

}  // namespace coxswain::cli::verbs
