// CanListen of server.h: gRPC says only that binding failed, so we find out why beforehand.
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "common/rpc/channel.h"
#include "common/rpc/server.h"

namespace coxswain::rpc {
namespace {

absl::Status Why(const std::string& address, int error) {
  switch (error) {
    case EADDRINUSE:
      return absl::AlreadyExistsError(
          address +
          " is in use by another process: stop that one (`ss -ltnp` shows it), or choose another "
          "address");
    case EADDRNOTAVAIL:
      return absl::InvalidArgumentError(address + " is not an address of this machine");
    case EACCES:
      return absl::PermissionDeniedError(
          address + " may not be listened on by this user: choose a port above 1023");
    default:
      return absl::UnavailableError("cannot listen on " + address + ": " + std::strerror(error));
  }
}

int TryBind(const addrinfo& info) {
  int fd = socket(info.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno == EAFNOSUPPORT ? 0 : errno;  // no IPv6 here: gRPC leaves it out, too
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  int error = bind(fd, info.ai_addr, info.ai_addrlen) == 0 && listen(fd, 1) == 0 ? 0 : errno;
  close(fd);
  return error;
}

absl::Status CanListenTcp(const std::string& address) {
  size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size()) {
    return absl::InvalidArgumentError("'" + address + "' is no address: expected HOST:PORT");
  }
  std::string host = address.substr(0, colon), port = address.substr(colon + 1);
  if (port.size() > 5 || port.find_first_not_of("0123456789") != std::string::npos ||
      std::stoi(port) > 65535) {
    return absl::InvalidArgumentError("'" + address +
                                      "' is no address: the port must be 0 to 65535");
  }
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return absl::InvalidArgumentError(address + ": " + gai_strerror(error));
  }
  int error = 0;
  for (const addrinfo* info = found; info != nullptr && error == 0; info = info->ai_next) {
    error = TryBind(*info);
  }
  freeaddrinfo(found);
  return error == 0 ? absl::OkStatus() : Why(address, error);
}

// In use if someone accepts; a socket left by a dead process refuses.
absl::Status CanListenUnix(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path();
  if (access(folder.c_str(), W_OK | X_OK) != 0) {
    return absl::UnavailableError("cannot make socket " + path + ": " + std::strerror(errno));
  }
  struct stat file;
  if (lstat(path.c_str(), &file) != 0) return absl::OkStatus();
  if (!S_ISSOCK(file.st_mode)) {
    return absl::AlreadyExistsError(path + " is there and is no socket: remove it");
  }
  absl::StatusOr<std::string> name = ShortSocketPath(path);
  if (!name.ok()) return name.status();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name->c_str(), name->size() + 1);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Why(path, errno);
  bool taken =
      connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 || errno == EAGAIN;
  close(fd);
  return taken ? absl::AlreadyExistsError(path + " is in use by another process: stop that one")
               : absl::OkStatus();
}

}  // namespace

absl::Status CanListen(const std::string& address) {
  constexpr std::string_view kUnix = "unix:";
  if (address.compare(0, kUnix.size(), kUnix) == 0) {
    return CanListenUnix(address.substr(kUnix.size()));
  }
  return CanListenTcp(address);
}

}  // namespace coxswain::rpc
