// Can a job that trains a gpt or llama begin: are its texts, its tokenizer and the weights it
// begins with there, and do they fit each other?
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "common/config/job_spec.h"
#include "trainer/blob/blob_store.h"
#include "trainer/state/state_list.h"

namespace coxswain::trainer::task {

struct TextCheck {
  int64_t samples = -1, evaluate_samples = -1;  // -1: known only once text is tokens
  state::StateList list;
};

// Text is not read, only looked for. Errors begin with the key.
absl::StatusOr<TextCheck> CheckTextJob(config::JobSpec spec, const blob::StoreSettings& settings);

}  // namespace coxswain::trainer::task
