// A BPE learnt from a job's training files.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "common/config/job_spec.h"
#include "trainer/blob/blob_store.h"
#include "trainer/engine/tokenizer/tokenizer.h"

namespace coxswain::trainer::text {

// The same from the same files, on every rank. Errors begin with the key.
absl::StatusOr<std::unique_ptr<tokenizer::Tokenizer>> LearnTokenizer(
    const config::Data& spec, const blob::StoreSettings& settings);

}  // namespace coxswain::trainer::text
