#include "worker/runtime/data_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/fields.h"
#include "worker/process/files.h"

namespace coxswain::worker {
namespace {

constexpr char kHead[] = "coxswain-worker 1";

std::string WhatToDo(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "free some space there, or give another directory with --data-dir";
    case EROFS:
    case EACCES:
    case EPERM:
      return "give a directory that this user may write with --data-dir";
    default:
      return "give another directory with --data-dir";
  }
}

absl::Status Unusable(const std::string& path, int error) {
  std::string text = absl::StrCat("cannot use the data directory ", path, ": ", strerror(error),
                                  ": ", WhatToDo(error));
  bool full = error == ENOSPC || error == EDQUOT;
  if (full || error == EIO) return absl::ResourceExhaustedError(text);
  return absl::FailedPreconditionError(text);
}

base::NodeId NewNodeId() {
  uint64_t bits = 0;
  if (getrandom(&bits, sizeof bits, 0) != sizeof bits) bits = static_cast<uint64_t>(getpid());
  return base::NodeId(absl::StrFormat("n-%016x", bits));
}

std::string Encode(const core::Identity& identity) {
  base::Fields fields;
  base::Put(fields, "node", identity.node.value);
  base::Put(fields, "cluster", identity.cluster.value);
  base::Put(fields, "highest_term", std::to_string(identity.highest_term.value));
  return base::EncodeFields(kHead, fields);
}

std::string LockHolder(int fd) {
  char text[32] = "";
  ssize_t n = pread(fd, text, sizeof text - 1, 0);
  long pid = n > 0 ? strtol(text, nullptr, 10) : 0;
  return pid > 0 ? absl::StrCat("pid ", pid) : "another process";
}

}  // namespace

absl::StatusOr<std::unique_ptr<DataFolder>> DataFolder::Open(const std::string& path) {
  if (absl::Status s = process::MakeFolder(path); !s.ok()) return Unusable(path, errno);
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return Unusable(path, errno);
  if (!S_ISDIR(info.st_mode)) return Unusable(path, ENOTDIR);
  if ((info.st_mode & 077) != 0 && chmod(path.c_str(), 0700) != 0) return Unusable(path, errno);
  std::string lock_path = path + "/lock";
  int lock = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return Unusable(path, errno);
  std::unique_ptr<DataFolder> folder(new DataFolder(path, lock));
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    return absl::AlreadyExistsError(absl::StrCat("another cox-worker (", LockHolder(lock),
                                                 ") runs on the data directory ", path,
                                                 ": stop it, or give this one another --data-dir"));
  }
  std::string pid = absl::StrCat(getpid(), "\n");
  if (ftruncate(lock, 0) != 0 || pwrite(lock, pid.data(), pid.size(), 0) < 0) {
    return Unusable(path, errno);
  }
  if (absl::Status s = folder->LoadIdentity(); !s.ok()) return s;
  return folder;
}

DataFolder::~DataFolder() { close(lock_); }

absl::Status DataFolder::LoadIdentity() {
  std::string file = path_ + "/identity";
  absl::StatusOr<std::string> text = process::ReadFile(file);
  if (absl::IsNotFound(text.status())) {
    core::Identity fresh;
    fresh.node = NewNodeId();
    return SaveIdentity(fresh);
  }
  if (!text.ok()) return text.status();
  std::optional<base::FieldMap> fields = base::DecodeFields(*text, kHead);
  if (!fields || base::Get(*fields, "node").empty()) {
    return absl::DataLossError(absl::StrCat(
        file, ": the file is damaged: put it back from a backup, or remove it to join the cluster ",
        "as a new node (first end the ranks that still run here)"));
  }
  identity_.node = base::NodeId(base::Get(*fields, "node"));
  identity_.cluster = base::ClusterId(base::Get(*fields, "cluster"));
  identity_.highest_term = base::Term(base::GetUnsigned(*fields, "highest_term"));
  // Also shows at once whether the directory can be written.
  return SaveIdentity(identity_);
}

absl::Status DataFolder::SaveIdentity(const core::Identity& identity) {
  errno = 0;
  absl::Status s = process::WriteFile(path_ + "/identity", Encode(identity), true);
  if (!s.ok()) return Unusable(path_, errno != 0 ? errno : EIO);
  identity_ = identity;
  return s;
}

}  // namespace coxswain::worker
