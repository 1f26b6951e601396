// The worker's data directory: mode 0700, used by one worker at a time, holding what must outlive
// the process. Errors are one line that says what to do.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/core/decisions.h"

namespace coxswain::worker {

class DataFolder {
 public:
  // Makes what is missing, takes the lock (FailedPrecondition: another worker has it), reads the
  // identity or makes a new one, and checks that it can be written.
  static absl::StatusOr<std::unique_ptr<DataFolder>> Open(const std::string& path);
  ~DataFolder();
  DataFolder(const DataFolder&) = delete;
  DataFolder& operator=(const DataFolder&) = delete;

  const core::Identity& identity() const { return identity_; }
  // On disk, synced, when it returns.
  absl::Status SaveIdentity(const core::Identity& identity);

  const std::string& path() const { return path_; }

 private:
  DataFolder(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  absl::Status LoadIdentity();

  const std::string path_;
  const int lock_;  // flock held until this process ends
  core::Identity identity_;
};

}  // namespace coxswain::worker
