// Why data cannot be read, as a job's user is told it.
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace coxswain::trainer::blob {

// `status` under the job file's `key`. Of a missing file (its URI stands in the text) that is not
// on s3:// with what to do: the check at the submission has seen the data of one machine only.
absl::Status UnderKey(std::string_view key, const absl::Status& status);

}  // namespace coxswain::trainer::blob
