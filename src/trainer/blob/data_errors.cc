#include "trainer/blob/data_errors.h"

#include "trainer/blob/text.h"

namespace coxswain::trainer::blob {

absl::Status UnderKey(std::string_view key, const absl::Status& status) {
  const bool local =
      absl::IsNotFound(status) && Std(status.message()).find("s3://") == std::string_view::npos;
  return absl::Status(
      status.code(),
      Cat(key, ": ", status.message(),
          local ? "; a job's data has to be on every machine that may run it: copy it there, or "
                  "use s3://..., or a folder that all machines mount"
                : ""));
}

}  // namespace coxswain::trainer::blob
