#include "worker/runtime/machine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "worker/process/files.h"

namespace coxswain::worker {
namespace {

// "/sys/fs/cgroup/PATH/NAME" of this process's cgroup (version 2); empty if there is none.
std::string CgroupFile(const std::string& name) {
  std::string groups = process::ReadFile("/proc/self/cgroup").value_or("");
  size_t at = groups.find("0::/");
  if (at == std::string::npos) return "";
  std::string path = groups.substr(at + 3, groups.find('\n', at) - at - 3);
  return process::ReadFile(absl::StrCat("/sys/fs/cgroup", path, "/", name)).value_or("");
}

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

// IPv4 first.
absl::StatusOr<std::string> AddressOf(const std::string& interface) {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return process::ErrnoStatus(errno, "getifaddrs");
  std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(all, freeifaddrs);
  std::string six, names;
  for (ifaddrs* entry = all; entry != nullptr; entry = entry->ifa_next) {
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
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_DGRAM;
  int code = getaddrinfo(host.c_str(), target.c_str() + colon + 1, &hints, &found);
  if (code != 0) return absl::NotFoundError(absl::StrCat(host, ": ", gai_strerror(code)));
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
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

}  // namespace

std::string HostName() {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return name;
}

uint32_t UsableCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  uint32_t cpus = 1;
  if (sched_getaffinity(0, sizeof set, &set) == 0) cpus = static_cast<uint32_t>(CPU_COUNT(&set));
  std::string limit = CgroupFile("cpu.max");  // "200000 100000", "max 100000"
  char* rest = nullptr;
  long long quota = strtoll(limit.c_str(), &rest, 10);
  long long period = quota > 0 ? strtoll(rest, nullptr, 10) : 0;
  if (period > 0) cpus = std::min(cpus, static_cast<uint32_t>((quota + period - 1) / period));
  return std::max(cpus, 1u);
}

int64_t MemoryBytes() {
  int64_t bytes = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  int64_t limit = strtoll(CgroupFile("memory.max").c_str(), nullptr, 10);
  return limit > 0 ? std::min(bytes, limit) : bytes;
}

absl::StatusOr<std::string> AdvertisedAddress(const std::string& advertise,
                                              const std::string& interface,
                                              const std::string& coordinator) {
  if (!advertise.empty()) return advertise;
  if (!interface.empty()) return AddressOf(interface);
  return AddressTowards(coordinator);
}

DiskSpace SpaceOn(const std::string& path) {
  struct statvfs info {};
  if (statvfs(path.c_str(), &info) != 0) return {};
  int64_t block = static_cast<int64_t>(info.f_frsize);
  return {static_cast<int64_t>(info.f_blocks) * block, static_cast<int64_t>(info.f_bavail) * block};
}

}  // namespace coxswain::worker
