#include "worker/process/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

namespace coxswain::worker::process {
namespace {

constexpr size_t kProbeBytes = 1 << 20;

absl::Status WriteAndClose(int fd, const std::string& path, const std::string& text, bool sync) {
  size_t done = 0;
  int error = 0;
  while (done < text.size() && error == 0) {
    ssize_t n = write(fd, text.data() + done, text.size() - done);
    if (n > 0) done += static_cast<size_t>(n);
    if (n < 0 && errno != EINTR) error = errno;
  }
  if (error == 0 && sync && fsync(fd) != 0) error = errno;
  if (close(fd) != 0 && error == 0) error = errno;
  return error == 0 ? absl::OkStatus() : ErrnoStatus(error, path);
}

absl::Status SyncFolderOf(const std::string& path) {
  std::string folder = absl::StrCat(path.substr(0, path.rfind('/') + 1), ".");
  int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, folder);
  int error = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  return error == 0 ? absl::OkStatus() : ErrnoStatus(error, folder);
}

}  // namespace

absl::Status ErrnoStatus(int error, const std::string& path) {
  return absl::ErrnoToStatus(error, path);
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, path);
  std::string text;
  char buffer[16384];
  ssize_t n;
  while ((n = read(fd, buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
  int error = n < 0 ? errno : 0;
  close(fd);
  if (error != 0) return ErrnoStatus(error, path);
  return text;
}

absl::Status WriteFile(const std::string& path, const std::string& text, bool sync) {
  std::string temporary = path + ".tmp";
  int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return ErrnoStatus(errno, temporary);
  if (absl::Status s = WriteAndClose(fd, temporary, text, sync); !s.ok()) {
    unlink(temporary.c_str());
    return s;
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) return ErrnoStatus(errno, path);
  return sync ? SyncFolderOf(path) : absl::OkStatus();
}

absl::Status TryToWrite(const std::string& folder) {
  std::string path = folder + "/write-probe";
  int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return ErrnoStatus(errno, folder);
  absl::Status status = WriteAndClose(fd, folder, std::string(kProbeBytes, '\0'), false);
  unlink(path.c_str());
  return status;
}

absl::Status MakeFolder(const std::string& path) {
  for (size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
    std::string part = path.substr(0, at);
    if (mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) {
      int error = errno;
      struct stat info;  // a parent on a read-only file system may well exist
      if (stat(part.c_str(), &info) != 0) {
        errno = error;  // not stat's
        return ErrnoStatus(error, part);
      }
    }
    if (at == std::string::npos) return absl::OkStatus();
  }
}

}  // namespace coxswain::worker::process
