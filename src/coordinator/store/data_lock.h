// One coordinator per data directory: a lock file that the kernel releases with the process.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>

namespace coxswain::coordinator::store {

class DataLock {
 public:
  // AlreadyExists: "another coordinator (pid 4711) uses DIR ..."; PermissionDenied,
  // ResourceExhausted: the directory cannot be written.
  static absl::StatusOr<std::unique_ptr<DataLock>> Take(const std::string& directory);
  ~DataLock();
  DataLock(const DataLock&) = delete;

 private:
  explicit DataLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace coxswain::coordinator::store
