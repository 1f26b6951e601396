#include "shim/exit_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coxswain::shim {
namespace {

constexpr char kReserved[] = "exit.tmp";
constexpr off_t kReservedBytes = 16384;  // notes and 4 KiB of log, escaped

std::string Failure(const char* what) { return std::string(what) + ": " + strerror(errno); }

bool WriteAll(int fd, const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    ssize_t n = pwrite(fd, text.data() + done, text.size() - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

std::string WriteFile(const char* name, const std::string& text, bool sync) {
  int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return Failure("open");
  std::string problem;
  if (!WriteAll(fd, text)) {
    problem = Failure("write");
  } else if (ftruncate(fd, static_cast<off_t>(text.size())) != 0) {
    problem = Failure("truncate");
  } else if (sync && fsync(fd) != 0) {
    problem = Failure("fsync");
  }
  close(fd);
  return problem;
}

}  // namespace

void ReserveExitRecord() {
  int fd = open(kReserved, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;
  // If there is no room now, WriteExitRecord will say so and be repeated.
  [[maybe_unused]] int full = posix_fallocate(fd, 0, kReservedBytes);
  close(fd);
}

std::string WriteExitRecord(const base::ShimExit& exit) {
  std::string problem = WriteFile(kReserved, base::EncodeExit(exit), true);
  if (!problem.empty()) return problem;
  if (rename(kReserved, base::kExitFile) != 0) return Failure("rename");
  int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return Failure("open folder");
  if (fsync(folder) != 0) problem = Failure("fsync folder");
  close(folder);
  return problem;
}

bool FolderIsGone() {
  struct stat about;
  return stat(".", &about) == 0 && about.st_nlink == 0;
}

std::string WriteSmallFile(const std::string& name, const std::string& text) {
  std::string temporary = name + ".tmp";
  std::string problem = WriteFile(temporary.c_str(), text, false);
  if (problem.empty() && rename(temporary.c_str(), name.c_str()) != 0) problem = Failure("rename");
  return problem;
}

}  // namespace coxswain::shim
