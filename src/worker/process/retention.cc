#include "worker/process/retention.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <vector>

#include "worker/process/files.h"
#include "worker/process/rank_folder.h"

namespace coxswain::worker::process {
namespace {

namespace fs = std::filesystem;
constexpr char kForgottenFile[] = "forgotten";

struct Ended {
  std::string folder;
  int64_t since_us = 0;
  int64_t bytes = 0;
};

int64_t Modified(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return 0;
  return info.st_mtim.tv_sec * 1'000'000 + info.st_mtim.tv_nsec / 1000;
}

int64_t BytesBelow(const std::string& folder) {
  int64_t bytes = 0;
  std::error_code ignored;
  for (fs::recursive_directory_iterator it(folder, ignored), end; it != end;
       it.increment(ignored)) {
    struct stat info {};
    if (lstat(it->path().c_str(), &info) == 0) bytes += info.st_blocks * 512;
  }
  return bytes;
}

}  // namespace

absl::Status MarkForgotten(const std::string& data_dir, base::JobId job) {
  std::string folder = JobFolder(data_dir, job);
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) return absl::OkStatus();
  return WriteFile(folder + "/" + kForgottenFile, "", false);
}

int RemoveOldFolders(const std::string& data_dir, const Retention& keep, base::WallTime now) {
  std::map<std::string, bool> busy;
  for (const std::string& rank : FindRankFolders(data_dir)) {
    busy[fs::path(rank).parent_path().parent_path()] = true;
  }
  std::vector<Ended> ended;
  int64_t bytes = 0;
  std::error_code ignored;
  for (fs::directory_iterator it(data_dir + "/jobs", ignored), end; it != end;
       it.increment(ignored)) {
    std::string folder = it->path();
    int64_t forgotten = Modified(folder + "/" + kForgottenFile);
    if (busy.contains(folder) || forgotten == 0) continue;
    ended.push_back({folder, forgotten, BytesBelow(folder)});
    bytes += ended.back().bytes;
  }
  std::sort(ended.begin(), ended.end(),
            [](const Ended& a, const Ended& b) { return a.since_us < b.since_us; });
  int removed = 0;
  for (const Ended& job : ended) {
    bool old = now.us - job.since_us > keep.age.count();
    bool over = keep.disk_short || bytes > keep.bytes;
    if (!old && !over) break;
    fs::remove_all(job.folder, ignored);
    bytes -= job.bytes;
    ++removed;
  }
  return removed;
}

}  // namespace coxswain::worker::process
