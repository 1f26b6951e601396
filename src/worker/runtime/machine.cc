#include "worker/runtime/machine.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

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

DiskSpace SpaceOn(const std::string& path) {
  struct statvfs info {};
  if (statvfs(path.c_str(), &info) != 0) return {};
  int64_t block = static_cast<int64_t>(info.f_frsize);
  return {static_cast<int64_t>(info.f_blocks) * block, static_cast<int64_t>(info.f_bavail) * block};
}

}  // namespace coxswain::worker
