#include "trainer/blob/file_errors.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "trainer/blob/text.h"

namespace coxswain::trainer::blob {
namespace {

struct Verdict {
  absl::StatusCode code;
  std::string what_to_do;
};

Verdict Judge(int error) {
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
    case EDQUOT:
      return {absl::StatusCode::kResourceExhausted, "; free some, or choose another place"};
    case EMFILE:
    case ENFILE:
      return {absl::StatusCode::kResourceExhausted, "; raise the limit of open files"};
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
  Verdict verdict = Judge(error);
  return absl::Status(verdict.code,
                      Cat("cannot ", action, " ", path, ": ", strerror(error), verdict.what_to_do));
}

}  // namespace coxswain::trainer::blob
