#include "trainer/blob/file_errors.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/base/byte_text.h"
#include "trainer/blob/text.h"

namespace coxswain::trainer::blob {
namespace {

struct Verdict {
  absl::StatusCode code;
  std::string what_to_do;
};

// ", 0 B free of 3.0 MiB" of the file system that a path is on, or will be.
std::string FreeSpace(std::string path) {
  struct statvfs info {};
  while (statvfs(path.c_str(), &info) != 0) {
    size_t slash = path.rfind('/');
    if (slash == std::string::npos || path.size() == 1) return "";
    path.resize(std::max<size_t>(slash, 1));
  }
  uint64_t block = info.f_frsize;
  return Cat(", ", base::BytesText(info.f_bavail * block), " free of ",
             base::BytesText(info.f_blocks * block));
}

Verdict Judge(int error, std::string_view path) {
  switch (error) {
    case ENOENT:
      return {absl::StatusCode::kNotFound, ""};
    case EEXIST:
      return {absl::StatusCode::kAlreadyExists, ""};
    case EACCES:
    case EPERM:
      return {absl::StatusCode::kPermissionDenied,
              Cat("; let user id ", geteuid(), " do this, or choose another place")};
    case EROFS:
      return {absl::StatusCode::kFailedPrecondition, "; choose a place that can be written"};
    case ENOTDIR:
      return {absl::StatusCode::kFailedPrecondition, "; a file stands where a folder should"};
    case EISDIR:
      return {absl::StatusCode::kFailedPrecondition, "; expected a file there"};
    case ENOSPC:
      return {absl::StatusCode::kResourceExhausted,
              Cat(FreeSpace(std::string(path)), "; free some, or choose another place")};
    case EDQUOT:
      return {absl::StatusCode::kResourceExhausted, "; free some, or choose another place"};
    case EMFILE:
    case ENFILE:
      return {absl::StatusCode::kUnavailable, "; raise the limit of open files"};
    case ENAMETOOLONG:
      return {absl::StatusCode::kInvalidArgument, ""};
    case ELOOP:
      return {absl::StatusCode::kFailedPrecondition, ""};
    default:
      return {absl::StatusCode::kUnavailable, ""};  // EIO, ESTALE, ETIMEDOUT ...
  }
}

}  // namespace

absl::Status FileError(std::string_view action, std::string_view path, int error) {
  Verdict verdict = Judge(error, path);
  return absl::Status(verdict.code,
                      Cat("cannot ", action, " ", path, ": ", strerror(error), verdict.what_to_do));
}

}  // namespace coxswain::trainer::blob
