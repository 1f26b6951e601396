// What an S3 store or the way to it said, as a status that says what to do (codes as in
// blob_store.h).
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace coxswain::trainer::blob {

// `code`: the error's name, as S3 answers it ("NoSuchBucket") or as the AWS SDK writes it
// ("NO_SUCH_BUCKET"); empty: not known. `http_status`: 0: no answer.
absl::Status S3Error(std::string_view action, std::string_view uri, std::string_view endpoint,
                     std::string_view code, int http_status, std::string_view message);

// From the text of an Arrow error: "... AWS Error NO_SUCH_BUCKET during PutObject operation: ...".
absl::Status S3ErrorFromArrow(std::string_view action, std::string_view uri,
                              std::string_view endpoint, std::string_view text);

}  // namespace coxswain::trainer::blob
