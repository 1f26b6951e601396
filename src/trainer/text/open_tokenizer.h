// The tokenizer that a job asks for.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/job_spec.h"
#include "trainer/blob/blob_store.h"
#include "trainer/engine/tokenizer/tokenizer.h"

namespace coxswain::trainer::text {

// Null: tokens whose vocabulary is given. Of a BPE to be learnt only those that need no text are
// known here: see LearnTokenizer. Errors begin with the key.
absl::StatusOr<std::unique_ptr<tokenizer::Tokenizer>> OpenTokenizer(
    const config::Data& spec, const blob::StoreSettings& settings);

}  // namespace coxswain::trainer::text
