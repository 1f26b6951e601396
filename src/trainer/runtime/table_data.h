// A job's samples where they are rows of tables, and its preprocessing, which is worked out once.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/config/job_spec.h"
#include "trainer/blob/blob_store.h"
#include "trainer/runtime/job_data.h"

namespace coxswain::trainer {

// Reads (or opens, where they do not fit into the buffer) training and evaluation rows. The
// preprocessing is the one of spec.data.preprocessing, or that which `place` already holds from an
// earlier attempt or another rank, or else is worked out and left there. Errors as ReadJobData's.
absl::StatusOr<std::unique_ptr<JobData>> ReadTableData(const config::Data& spec,
                                                       const JobPlace& place,
                                                       const blob::StoreSettings& settings);

// Where a checkpoint's manifest has it (CheckpointInfo::state).
inline constexpr char kPreprocessingState[] = "preprocessing";

// Why a checkpoint that was saved with the one cannot go on with the other; empty: it can. Either
// may be empty: there is none.
std::string WhyOtherPreprocessing(const std::string& saved, const std::string& own);

}  // namespace coxswain::trainer
