// Small files, whole: read, and written so that the name shows the old text or the new one, never a
// part.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace coxswain::worker::process {

// NotFound, or another code with path and reason.
absl::StatusOr<std::string> ReadFile(const std::string& path);

// Mode 0600. With `sync`, file and folder are synced before it returns.
absl::Status WriteFile(const std::string& path, const std::string& text, bool sync);

// Whether a folder has room for what one rank or task needs at its start (1 MiB, written and
// deleted again, not synced); the message begins with the folder: "/data: No space left on device".
absl::Status TryToWrite(const std::string& folder);

// Mode 0700, with all that is missing above it. On an error errno says why, too.
absl::Status MakeFolder(const std::string& path);

// "PATH: No space left on device" with the code that fits errno.
absl::Status ErrnoStatus(int error, const std::string& path);

}  // namespace coxswain::worker::process
