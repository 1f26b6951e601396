// Can a job begin with the checkpoint that it names, and will it be what its owner expects?
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/job_spec.h"
#include "trainer/blob/blob_store.h"
#include "trainer/blob/manifest.h"
#include "trainer/engine/data/table/column_choice.h"
#include "trainer/state/state_list.h"

namespace coxswain::trainer::task {

struct ResumeOrder {
  std::vector<protocol::RestoreCandidate> candidates;  // newest first; none: no resume
  bool uncommitted = false;
  bool elsewhere = false;  // a file:// one may be on another machine
  bool at_submit = true;   // nothing has been accepted yet: a damaged one can still be refused
};

struct ResumeJob {
  const config::JobSpec& spec;
  const state::StateList& list;
  int64_t samples = 0;  // of an epoch; below 0: not known
  // Of a table, whose state `list` is not known before its rows have been read: that of the
  // checkpoint's preprocessing counts.
  const data::TableColumns* columns = nullptr;
};

// Looks at manifests and headers, not at the data. Returns a warning (empty: none) or why the job
// cannot begin: INVALID_ARGUMENT; retryable codes if the store cannot be read now. A damaged one of
// a job that has been accepted is a warning: the attempt reads it, and ends as the storage's fault.
absl::StatusOr<std::string> CheckResume(const ResumeOrder& order, const ResumeJob& job,
                                        const blob::StoreSettings& settings);

}  // namespace coxswain::trainer::task
