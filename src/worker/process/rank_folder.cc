#include "worker/process/rank_folder.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/clock.h"
#include "common/base/shim_protocol.h"
#include "shim/process_tree.h"
#include "worker/process/exit_record.h"
#include "worker/process/files.h"
#include "worker/process/processes.h"

namespace coxswain::worker::process {
namespace {

using base::Get;
using base::GetUnsigned;
using base::Put;

constexpr char kHead[] = "coxswain-rank 1";
constexpr char kRecordFile[] = "rank";
constexpr char kAcknowledgedFile[] = "acknowledged";

std::string Encode(const protocol::StartRank& start, const std::string& boot_id,
                   const std::string& folder) {
  base::Fields fields;
  auto put = [&](const char* key, uint64_t value) { Put(fields, key, std::to_string(value)); };
  put("job", start.key.job.value);
  put("attempt", start.key.attempt.value);
  put("rank", start.key.rank);
  put("incarnation", start.incarnation.value);
  Put(fields, "job_name", start.job_name);
  put("world_size", start.world_size);
  put("local_rank", start.local_rank);
  Put(fields, "gpus", absl::StrJoin(start.gpu_uuids, " "));
  put("cpus", start.cpus);
  Put(fields, "state_prefix", start.state_prefix);
  Put(fields, "boot_id", boot_id);
  Put(fields, "folder", folder);
  return base::EncodeFields(kHead, fields);
}

bool IsFolder(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// The sub-folders of `folder` whose names are `letter` and a number.
std::vector<std::string> Numbered(const std::string& folder, char letter) {
  std::vector<std::string> found;
  std::error_code ignored;
  for (std::filesystem::directory_iterator it(folder, ignored), end; it != end;
       it.increment(ignored)) {
    std::string name = it->path().filename();
    bool number = name.size() > 1 && name[0] == letter &&
                  std::all_of(name.begin() + 1, name.end(), [](char c) { return isdigit(c); });
    if (number) found.push_back(it->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// It was copied from another one, which is still there: the processes that it tells of are that
// one's.
bool IsCopy(const std::string& folder) {
  absl::StatusOr<std::string> text = ReadFile(absl::StrCat(folder, "/", kRecordFile));
  std::optional<base::FieldMap> fields;
  if (text.ok()) fields = base::DecodeFields(*text, kHead);
  if (!fields) return false;
  struct stat here, there;
  return stat(folder.c_str(), &here) == 0 && stat(Get(*fields, "folder").c_str(), &there) == 0 &&
         (here.st_dev != there.st_dev || here.st_ino != there.st_ino);
}

absl::Status SetAside(const std::string& folder) {
  for (int i = 1;; ++i) {
    std::string aside = absl::StrCat(folder, "-old", i);
    if (IsFolder(aside)) continue;
    if (rename(folder.c_str(), aside.c_str()) != 0) return ErrnoStatus(errno, folder);
    return absl::OkStatus();
  }
}

}  // namespace

std::string JobFolder(const std::string& data_dir, base::JobId job) {
  return absl::StrCat(data_dir, "/jobs/", base::ToString(job));
}

std::string RankFolder(const std::string& data_dir, const protocol::RankKey& key) {
  return absl::StrCat(JobFolder(data_dir, key.job), "/a", key.attempt.value, "/r", key.rank);
}

absl::Status WriteRankFolder(const std::string& folder, const protocol::StartRank& start,
                             const std::string& boot_id) {
  if (IsFolder(folder)) {
    if (absl::Status s = SetAside(folder); !s.ok()) return s;
  }
  if (absl::Status s = MakeFolder(folder); !s.ok()) return s;
  if (absl::Status s = WriteFile(absl::StrCat(folder, "/", kSpecFile), start.spec_yaml, false);
      !s.ok()) {
    return s;
  }
  return WriteFile(absl::StrCat(folder, "/", kRecordFile), Encode(start, boot_id, folder), false);
}

absl::StatusOr<RankRecord> ReadRankFolder(const std::string& folder) {
  absl::StatusOr<std::string> text = ReadFile(absl::StrCat(folder, "/", kRecordFile));
  if (!text.ok()) return text.status();
  std::optional<base::FieldMap> fields = base::DecodeFields(*text, kHead);
  if (!fields) return absl::DataLossError(absl::StrCat(folder, ": the rank's record is cut short"));
  RankRecord record;
  protocol::StartRank& start = record.start;
  start.key.job = base::JobId(GetUnsigned(*fields, "job"));
  start.key.attempt = base::Attempt(GetUnsigned(*fields, "attempt"));
  start.key.rank = static_cast<base::Rank>(GetUnsigned(*fields, "rank"));
  start.incarnation = base::Incarnation(GetUnsigned(*fields, "incarnation"));
  start.job_name = Get(*fields, "job_name");
  start.world_size = static_cast<uint32_t>(GetUnsigned(*fields, "world_size"));
  start.local_rank = static_cast<uint32_t>(GetUnsigned(*fields, "local_rank"));
  start.gpu_uuids = absl::StrSplit(Get(*fields, "gpus"), ' ', absl::SkipEmpty());
  start.cpus = static_cast<uint32_t>(GetUnsigned(*fields, "cpus"));
  start.state_prefix = Get(*fields, "state_prefix");
  record.boot_id = Get(*fields, "boot_id");
  start.spec_yaml = ReadFile(absl::StrCat(folder, "/", kSpecFile)).value_or("");
  return record;
}

absl::Status MarkAcknowledged(const std::string& folder) {
  if (!IsFolder(folder)) return absl::OkStatus();  // it never got so far as to have one
  return WriteFile(absl::StrCat(folder, "/", kAcknowledgedFile), "", false);
}

std::vector<std::string> FindRankFolders(const std::string& data_dir) {
  std::vector<std::string> found;
  for (const std::string& job : Numbered(data_dir + "/jobs", 'j')) {
    for (const std::string& attempt : Numbered(job, 'a')) {
      for (const std::string& rank : Numbered(attempt, 'r')) {
        if (access((rank + "/" + kAcknowledgedFile).c_str(), F_OK) != 0) found.push_back(rank);
      }
    }
  }
  return found;
}

std::optional<protocol::ExitRecord> ReadExit(const std::string& folder) {
  absl::StatusOr<std::string> text = ReadFile(absl::StrCat(folder, "/", base::kExitFile));
  if (!text.ok()) return std::nullopt;
  std::optional<base::ShimExit> exit = base::DecodeExit(*text);
  if (!exit) return std::nullopt;
  return ToExitRecord(*exit);
}

bool ShimLives(const std::string& folder) {
  std::string path = absl::StrCat(folder, "/", base::kShimLockFile);
  int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return false;
  bool held = flock(fd, LOCK_EX | LOCK_NB) != 0;
  close(fd);
  return held;
}

protocol::ExitRecord LostExit(const std::string& folder, const std::string& record_boot_id,
                              const std::string& boot_id) {
  protocol::ExitRecord exit;
  exit.signal = SIGKILL;
  exit.ended = base::WallNow();
  absl::StatusOr<std::string> text = ReadFile(absl::StrCat(folder, "/", base::kRankProcessFile));
  std::optional<base::ProcessIdentity> identity;
  if (text.ok()) identity = base::DecodeIdentity(*text);
  if (record_boot_id != boot_id) {
    exit.note = "the machine was restarted";
  } else if (!identity) {
    exit.signal = 0;
    exit.code = 127;
    exit.note = "the program could not be started: its shim ended before that";
  } else if (IsCopy(folder)) {
    exit.note = "exit record lost: this worker's data directory is a copy of another one's";
  } else {
    KillRemnants(*identity, boot_id);
    exit.note = "exit record lost: shim killed";
  }
  return exit;
}

}  // namespace coxswain::worker::process
