#include "worker/runtime/data_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config/quantities.h"
#include "worker/process/files.h"

namespace coxswain::worker {
namespace {

using Infos = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;
using Interfaces = std::unique_ptr<ifaddrs, void (*)(ifaddrs*)>;

constexpr size_t kMostNamed = 8;

std::string Text(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text, sizeof text);
  } else if (address->sa_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text,
              sizeof text);
  }
  return text;
}

Interfaces AllInterfaces() {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) all = nullptr;
  return {all, freeifaddrs};
}

// IPv4 first.
absl::StatusOr<std::string> AddressOf(const std::string& interface) {
  Interfaces all = AllInterfaces();
  if (all == nullptr) return process::ErrnoStatus(errno, "getifaddrs");
  std::string six, names;
  for (ifaddrs* entry = all.get(); entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    if (entry->ifa_addr->sa_family == AF_INET) absl::StrAppend(&names, " ", entry->ifa_name);
    if (interface != entry->ifa_name) continue;
    if (entry->ifa_addr->sa_family == AF_INET) return Text(entry->ifa_addr);
    if (entry->ifa_addr->sa_family == AF_INET6) six = Text(entry->ifa_addr);
  }
  if (!six.empty()) return six;
  return absl::NotFoundError(absl::StrCat(
      "interface '", interface, "' has no address on this machine; those that have:", names));
}

absl::StatusOr<std::string> AddressTowards(const std::string& target) {
  size_t colon = target.rfind(':');
  std::string host = target.substr(0, colon);
  if (host.size() > 1 && host.front() == '[') host = host.substr(1, host.size() - 2);
  addrinfo hints{}, *list = nullptr;
  hints.ai_socktype = SOCK_DGRAM;
  int code = getaddrinfo(host.c_str(), target.c_str() + colon + 1, &hints, &list);
  if (code != 0) return absl::NotFoundError(absl::StrCat(host, ": ", gai_strerror(code)));
  Infos found(list, freeaddrinfo);
  int fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  // Connecting a datagram socket sends nothing; it only chooses the route.
  bool routed = fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) == 0 &&
                getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) == 0;
  int error = errno;
  if (fd >= 0) close(fd);
  if (!routed) return process::ErrnoStatus(error, absl::StrCat("no route to ", host));
  return Text(reinterpret_cast<sockaddr*>(&own));
}

// With its scope, as in "fe80::1%eth0".
std::string NumberOf(const addrinfo& info) {
  char text[NI_MAXHOST] = "";
  getnameinfo(info.ai_addr, info.ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
  return text;
}

// Null if `text` is no number.
Infos ParseNumber(const std::string& text) {
  addrinfo hints{}, *list = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST;
  if (getaddrinfo(text.c_str(), nullptr, &hints, &list) != 0) list = nullptr;
  return {list, freeaddrinfo};
}

bool StandsForOneMachine(const addrinfo& info) {
  if (info.ai_family == AF_INET) {
    uint32_t address = ntohl(reinterpret_cast<sockaddr_in*>(info.ai_addr)->sin_addr.s_addr);
    return address != INADDR_ANY && address != INADDR_BROADCAST && !IN_MULTICAST(address);
  }
  const in6_addr& address = reinterpret_cast<sockaddr_in6*>(info.ai_addr)->sin6_addr;
  return !IN6_IS_ADDR_UNSPECIFIED(&address) && !IN6_IS_ADDR_MULTICAST(&address);
}

// As a rank does it (trainer/runtime/listen_socket). 0, or why it cannot.
int TryToListen(const addrinfo& info) {
  int fd = socket(info.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool listens = fd >= 0 && bind(fd, info.ai_addr, info.ai_addrlen) == 0 && listen(fd, 1) == 0;
  int error = errno;
  if (fd >= 0) close(fd);
  return listens ? 0 : error;
}

// "10.0.0.2, fd00::2": those that other machines may reach; only loopback if there are no others.
std::string OwnAddresses() {
  std::vector<std::string> seen, loopback;
  Interfaces all = AllInterfaces();
  for (ifaddrs* entry = all.get(); entry != nullptr; entry = entry->ifa_next) {
    std::string text = entry->ifa_addr == nullptr ? "" : Text(entry->ifa_addr);
    if (text.empty() || text.starts_with("fe80:")) continue;
    (config::IsLoopback(text) ? loopback : seen).push_back(text);
  }
  if (seen.empty()) seen = loopback;
  if (seen.empty()) return "none";
  size_t more = seen.size() - std::min(seen.size(), kMostNamed);
  seen.resize(seen.size() - more);
  return absl::StrCat(absl::StrJoin(seen, ", "),
                      more == 0 ? "" : absl::StrCat(" and ", more, " more"));
}

std::string Expected() {
  return absl::StrCat("expected one on which its ranks can listen and which other machines reach",
                      " (it has ", OwnAddresses(), "; one that NAT forwards here does not serve)");
}

// What is wrong with an address in numbers; nothing: ranks can listen on it.
std::optional<std::string> WhyNotOwn(const addrinfo& info) {
  if (!StandsForOneMachine(info)) return "which is not the address of one machine";
  int error = TryToListen(info);
  if (error == 0) return std::nullopt;
  if (error == EADDRNOTAVAIL) return "which is no address of this machine";
  bool scope = error == EINVAL && info.ai_family == AF_INET6;
  return absl::StrCat("on which nothing can listen here: ", strerror(error),
                      scope ? " (does it lack its interface, as in fe80::1%eth0?)" : "");
}

// "10.0.0.2:29500", "[fd00::2]": what people write where a port is wanted.
bool LooksLikeHostPort(const std::string& text) {
  return text.starts_with('[') || config::ParseHostPort(text).has_value();
}

absl::StatusOr<std::string> OwnAddressOf(const std::string& name, const Resolver& resolve) {
  std::string found = absl::StrCat("found ", config::Quoted(name));
  if (LooksLikeHostPort(name)) {
    return absl::InvalidArgumentError(absl::StrCat(
        found,
        ", expected an address without brackets and without a port (ports: ", "trainer_ports)"));
  }
  auto numbers = resolve(name);
  if (absl::IsUnavailable(numbers.status())) {
    return absl::UnavailableError(absl::StrCat(found, ", a name that cannot be resolved just now (",
                                               numbers.status().message(),
                                               "): start again later, or give the address"));
  }
  if (!numbers.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(found, ", which is neither an address nor a name that this machine knows (",
                     numbers.status().message(), "); ", Expected()));
  }
  std::string loopback;
  for (const std::string& number : *numbers) {
    Infos info = ParseNumber(number);
    if (info == nullptr || WhyNotOwn(*info)) continue;
    if (!config::IsLoopback(number)) return number;
    if (loopback.empty()) loopback = number;
  }
  if (!loopback.empty()) return loopback;
  return absl::InvalidArgumentError(absl::StrCat(found, ", a name of ",
                                                 absl::StrJoin(*numbers, ", "),
                                                 ": no address of this machine; ", Expected()));
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ResolveHost(const std::string& name) {
  addrinfo hints{}, *list = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  int code = getaddrinfo(name.c_str(), nullptr, &hints, &list);
  if (code == EAI_AGAIN) return absl::UnavailableError(gai_strerror(code));
  if (code != 0) return absl::NotFoundError(gai_strerror(code));
  Infos owner(list, freeaddrinfo);
  std::vector<std::string> numbers;
  for (addrinfo* info = list; info != nullptr; info = info->ai_next) {
    numbers.push_back(NumberOf(*info));
  }
  return numbers;
}

absl::StatusOr<std::string> OwnAddress(const std::string& setting, const Resolver& resolve) {
  Infos number = ParseNumber(setting);
  if (number == nullptr) return OwnAddressOf(setting, resolve);
  std::optional<std::string> wrong = WhyNotOwn(*number);
  if (!wrong) return NumberOf(*number);
  return absl::InvalidArgumentError(
      absl::StrCat("found ", config::Quoted(setting), ", ", *wrong, "; ", Expected()));
}

absl::StatusOr<std::string> AdvertisedAddress(const std::string& advertise,
                                              const std::string& interface,
                                              const std::string& coordinator) {
  if (!advertise.empty()) return advertise;
  if (!interface.empty()) return AddressOf(interface);
  return AddressTowards(coordinator);
}

}  // namespace coxswain::worker
