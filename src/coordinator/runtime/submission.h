// From a submission as it came to the event that the core decides on: parsed, checked, its
// resume_from found. Runs in the calling thread; reads committed state.
#pragma once

#include "coordinator/core/events.h"
#include "coordinator/runtime/api.h"

namespace coxswain::coordinator::runtime {

struct Submission {
  core::JobSubmitted event;  // without its call
  std::vector<std::string> warnings;
  core::JobId answered_by;  // the ended job that had the same key and request; 0: none
};

struct Refusal {
  absl::Status status;
  std::vector<config::Mistake> mistakes;
};

// Refusals as in the proto's comment on SubmitJob.
std::variant<Submission, Refusal> CheckSubmission(const SubmitRequest& request,
                                                  const config::JobSite& site,
                                                  store::StateReader& reader);

// What is wrong with a spec.code, as it has to be by now, or "": the name of an archive.
std::string WrongCode(const std::string& code);

// "j12", or a name (its newest job). NotFound, with what to do.
absl::StatusOr<core::JobId> FindJob(const std::string& id_or_name, store::StateReader& reader);

}  // namespace coxswain::coordinator::runtime
