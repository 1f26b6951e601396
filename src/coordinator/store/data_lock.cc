#include "coordinator/store/data_lock.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace coxswain::coordinator::store {
namespace {

absl::Status CannotWrite(const std::string& directory, int error) {
  std::string text = absl::StrCat("cannot write to ", directory, " (", strerror(error), ")");
  if (error == ENOSPC || error == EDQUOT) {
    return absl::ResourceExhaustedError(absl::StrCat(text, ": free some space"));
  }
  return absl::PermissionDeniedError(absl::StrCat(
      text, ": give the coordinator's user write access, or choose another --data-dir"));
}

std::string ReadPid(int fd) {
  char text[32] = {};
  ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
  while (n > 0 && text[n - 1] == '\n') text[--n] = 0;
  return n > 0 ? text : "unknown";
}

}  // namespace

absl::StatusOr<std::unique_ptr<DataLock>> DataLock::Take(const std::string& directory) {
  std::string path = directory + "/coordinator.lock";
  int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return CannotWrite(directory, errno);
  std::unique_ptr<DataLock> lock(new DataLock(fd));
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return CannotWrite(directory, errno);
    return absl::AlreadyExistsError(absl::StrCat("another coordinator (pid ", ReadPid(fd),
                                                 ") uses ", directory,
                                                 ": stop it, or choose another --data-dir"));
  }
  std::string pid = absl::StrCat(getpid(), "\n");
  if (ftruncate(fd, 0) != 0 || pwrite(fd, pid.data(), pid.size(), 0) < 0) {
    return CannotWrite(directory, errno);
  }
  return lock;
}

DataLock::~DataLock() { close(fd_); }

}  // namespace coxswain::coordinator::store
