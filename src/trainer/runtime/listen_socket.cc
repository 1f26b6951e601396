#include "trainer/runtime/listen_socket.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <utility>

namespace coxswain::trainer {
namespace {

struct Resolved {
  sockaddr_storage storage{};
  socklen_t length = 0;
  void SetPort(uint16_t port) {
    if (storage.ss_family == AF_INET) {
      reinterpret_cast<sockaddr_in*>(&storage)->sin_port = htons(port);
    } else {
      reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port = htons(port);
    }
  }
  uint16_t Port() const {
    return ntohs(storage.ss_family == AF_INET
                     ? reinterpret_cast<const sockaddr_in*>(&storage)->sin_port
                     : reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port);
  }
};

absl::StatusOr<Resolved> Resolve(const std::string& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* list = nullptr;
  int error = getaddrinfo(address.c_str(), nullptr, &hints, &list);
  if (error != 0 || list == nullptr) {
    return absl::UnavailableError("the data address '" + address +
                                  "' is not known: " + gai_strerror(error));
  }
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, freeaddrinfo);
  Resolved out;
  std::memcpy(&out.storage, list->ai_addr, list->ai_addrlen);
  out.length = list->ai_addrlen;
  return out;
}

}  // namespace

ListenSocket::ListenSocket(ListenSocket&& other) noexcept { *this = std::move(other); }

ListenSocket& ListenSocket::operator=(ListenSocket&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(port_, other.port_);
  std::swap(host_, other.host_);
  return *this;
}

ListenSocket::~ListenSocket() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<ListenSocket> ListenSocket::Bind(const std::string& address, uint16_t first,
                                                uint16_t last) {
  absl::StatusOr<Resolved> resolved = Resolve(address);
  if (!resolved.ok()) return resolved.status();
  int error = 0;
  for (uint32_t port = first; port <= last; ++port) {
    ListenSocket out;
    out.fd_ = socket(resolved->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    resolved->SetPort(static_cast<uint16_t>(port));
    auto* name = reinterpret_cast<sockaddr*>(&resolved->storage);
    socklen_t length = resolved->length;
    if (out.fd_ >= 0 && bind(out.fd_, name, length) == 0 && listen(out.fd_, 4096) == 0 &&
        getsockname(out.fd_, name, &length) == 0) {
      out.port_ = resolved->Port();
      out.host_ = address;
      return out;
    }
    error = errno;
    if (error != EADDRINUSE) break;
  }
  std::string ports =
      first == 0 ? "any port" : "ports " + std::to_string(first) + "-" + std::to_string(last);
  return absl::UnavailableError("cannot listen on " + address + " (" + ports +
                                "): " + std::strerror(error) +
                                (error == EADDRINUSE ? "; widen the worker's trainer_ports"
                                                     : "; set the worker's advertise_address"));
}

std::string ListenSocket::address() const {
  bool six = host_.find(':') != std::string::npos;
  return (six ? "[" + host_ + "]" : host_) + ":" + std::to_string(port_);
}

bool SplitAddress(const std::string& address, std::string* host, uint16_t* port) {
  size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0) return false;
  *host = address.substr(0, colon);
  if (host->size() > 2 && host->front() == '[' && host->back() == ']') {
    *host = host->substr(1, host->size() - 2);
  }
  const char *begin = address.data() + colon + 1, *end = address.data() + address.size();
  auto [stop, error] = std::from_chars(begin, end, *port);
  return error == std::errc() && stop == end && begin != end;
}

}  // namespace coxswain::trainer
