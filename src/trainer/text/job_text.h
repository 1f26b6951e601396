// The text or tokens of a job (spec.data.format text and tokens).
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/config/job_spec.h"
#include "trainer/blob/blob_store.h"
#include "trainer/engine/data/token_dataset.h"

namespace coxswain::trainer::text {

struct JobText {
  std::unique_ptr<data::TokenDataset> train, evaluate;  // the latter may be null
  std::string tokenizer_json;                           // goes with the model; empty: not known
  int64_t end_of_text = -1;                             // token; -1: none
};

// Text is turned into tokens here, once, and they stay in memory (16 bits each, or 32 if there are
// more than 65,536); token files stay where they are. INVALID_ARGUMENT: what the user has to mend,
// after the key it is about; NOT_FOUND, PERMISSION_DENIED: a file; others: the store.
absl::StatusOr<JobText> ReadJobText(const config::Data& spec, const blob::StoreSettings& settings);

// What can be known without reading all of it.
struct TextSummary {
  int64_t vocabulary = 0;
  int64_t samples = -1, evaluate_samples = -1;  // -1: known only once text is tokens
};
// Are the files there, whole as far as their sizes tell, and does the tokenizer's file do? Errors
// as above.
absl::StatusOr<TextSummary> CheckJobText(const config::Data& spec,
                                         const blob::StoreSettings& settings);

}  // namespace coxswain::trainer::text
