#include "worker/process/log_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "worker/process/files.h"

namespace coxswain::worker::process {
namespace {

constexpr size_t kTailStep = 64 << 10;

// Ascending start offsets of the files with this prefix.
std::vector<uint64_t> Starts(const std::string& folder, const std::string& prefix) {
  std::vector<uint64_t> starts;
  DIR* dir = opendir(folder.c_str());
  if (dir == nullptr) return starts;
  while (dirent* entry = readdir(dir)) {
    if (strncmp(entry->d_name, prefix.c_str(), prefix.size()) != 0) continue;
    char* end = nullptr;
    uint64_t start = strtoull(entry->d_name + prefix.size(), &end, 10);
    if (*end == '\0') starts.push_back(start);
  }
  closedir(dir);
  std::sort(starts.begin(), starts.end());
  return starts;
}

}  // namespace

LogFiles::LogFiles(std::string folder, bool stderr_stream)
    : folder_(std::move(folder)), prefix_(stderr_stream ? "stderr." : "stdout.") {}

absl::StatusOr<LogRange> LogFiles::Range() const {
  std::vector<uint64_t> starts = Starts(folder_, prefix_);
  if (starts.empty()) return absl::NotFoundError(absl::StrCat("no log in ", folder_));
  struct stat info {};
  std::string newest = absl::StrCat(folder_, "/", prefix_, starts.back());
  if (stat(newest.c_str(), &info) != 0) return ErrnoStatus(errno, newest);
  return LogRange{starts.front(), starts.back() + static_cast<uint64_t>(info.st_size)};
}

absl::StatusOr<std::string> LogFiles::Read(uint64_t offset, size_t most) const {
  std::vector<uint64_t> starts = Starts(folder_, prefix_);
  auto next = std::upper_bound(starts.begin(), starts.end(), offset);
  if (next == starts.begin()) {
    if (starts.empty()) return absl::NotFoundError(absl::StrCat("no log in ", folder_));
    return absl::OutOfRangeError(
        absl::StrCat("rotated away: the oldest byte kept is ", starts.front()));
  }
  uint64_t start = *std::prev(next);
  std::string path = absl::StrCat(folder_, "/", prefix_, start);
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, path);
  // A file that has a successor ends where that begins, whatever a reader may see meanwhile.
  if (next != starts.end()) most = std::min<uint64_t>(most, *next - offset);
  std::string data(most, '\0');
  ssize_t n = pread(fd, data.data(), most, static_cast<off_t>(offset - start));
  int error = errno;
  close(fd);
  if (n < 0) return ErrnoStatus(error, path);
  data.resize(static_cast<size_t>(n));
  return data;
}

absl::StatusOr<uint64_t> LogFiles::TailOffset(uint32_t lines) const {
  absl::StatusOr<LogRange> range = Range();
  if (!range.ok()) return range.status();
  uint64_t at = range->end;
  uint32_t found = 0;
  while (at > range->oldest) {
    uint64_t begin = at - std::min<uint64_t>(kTailStep, at - range->oldest);
    std::string block;
    while (begin + block.size() < at) {
      absl::StatusOr<std::string> part = Read(begin + block.size(), at - begin - block.size());
      if (!part.ok()) return part.status();
      if (part->empty()) break;
      block += *part;
    }
    for (size_t i = block.size(); i > 0; --i) {
      bool last_byte = begin + i == range->end;  // the newest line's own end
      if (block[i - 1] == '\n' && !last_byte && ++found == lines) return begin + i;
    }
    at = begin;
  }
  return range->oldest;
}

}  // namespace coxswain::worker::process
