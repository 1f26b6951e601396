#include "coordinator/runtime/service_files.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace coxswain::coordinator::runtime {
namespace {

absl::Status Cannot(const std::string& what, const std::string& path, int error) {
  std::string text = absl::StrCat("cannot ", what, " ", path, " (", strerror(error), ")");
  if (error == ENOSPC || error == EDQUOT) {
    return absl::ResourceExhaustedError(absl::StrCat(text, ": free some space"));
  }
  return absl::PermissionDeniedError(absl::StrCat(
      text, ": give the coordinator's user write access, or choose another --data-dir"));
}

bool WriteAll(int fd, const std::string& text) {
  return write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(fd) == 0;
}

}  // namespace

absl::Status MakeDataDir(const std::string& directory) {
  std::error_code error;
  std::filesystem::path parent = std::filesystem::path(directory).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (error) return Cannot("make the data directory", directory, error.value());
  if (mkdir(directory.c_str(), 0700) == 0) return absl::OkStatus();
  if (errno != EEXIST) return Cannot("make the data directory", directory, errno);
  struct stat found;
  if (stat(directory.c_str(), &found) != 0) return Cannot("read", directory, errno);
  if (!S_ISDIR(found.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(directory, " is not a directory: choose another --data-dir"));
  }
  bool open_to_others = (found.st_mode & 077) != 0;
  if (open_to_others && found.st_uid == geteuid() && chmod(directory.c_str(), 0700) != 0) {
    return Cannot("close to others the data directory", directory, errno);
  }
  return absl::OkStatus();
}

absl::Status CheckStateNotEmptied(const std::string& directory) {
  std::error_code state_error, metrics_error;
  std::filesystem::path state = std::filesystem::path(directory) / "state.db";
  std::filesystem::path metrics = std::filesystem::path(directory) / "metrics.db";
  bool empty = std::filesystem::file_size(state, state_error) == 0 && !state_error;
  bool used = std::filesystem::file_size(metrics, metrics_error) > 0 && !metrics_error;
  if (!empty || !used) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      state.string(), " is empty, but this coordinator has run before: restore it from a backup, ",
      "or move it and metrics.db away to start with an empty one"));
}

absl::Status WriteEndpoint(const std::string& directory, const Endpoint& endpoint) {
  nlohmann::json j = {{"api", endpoint.api},
                      {"worker", endpoint.worker},
                      {"http", endpoint.http},
                      {"token_file", endpoint.token_file},
                      {"cluster_id", endpoint.cluster_id},
                      {"pid", getpid()}};
  std::string path = directory + "/endpoint";
  std::string fresh = path + ".new";
  int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return Cannot("write", fresh, errno);
  bool written =
      WriteAll(fd, j.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  int error = errno;
  close(fd);
  if (!written) return Cannot("write", fresh, error);
  if (rename(fresh.c_str(), path.c_str()) != 0) return Cannot("write", path, errno);
  return absl::OkStatus();
}

void RemoveEndpoint(const std::string& directory) { unlink((directory + "/endpoint").c_str()); }

void NotifySystemd(const std::string& state) {
  const char* where = getenv("NOTIFY_SOCKET");
  if (where == nullptr || *where == '\0') return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  size_t length = std::strlen(where);
  if (length >= sizeof(address.sun_path)) return;
  std::memcpy(address.sun_path, where, length);
  if (*where == '@') address.sun_path[0] = '\0';  // an abstract name
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  sendto(fd, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address), size);
  close(fd);
}

}  // namespace coxswain::coordinator::runtime
