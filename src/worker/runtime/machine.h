// Facts about this machine.
#pragma once

#include <cstdint>
#include <string>

namespace coxswain::worker {

std::string HostName();
// CPUs this process may use: its affinity, and its cgroup's limit rounded up.
uint32_t UsableCpus();
// The smaller of the machine's memory and the cgroup's limit.
int64_t MemoryBytes();

struct DiskSpace {
  int64_t total_bytes = 0, free_bytes = 0;  // free: for this user
  bool Short() const { return total_bytes > 0 && free_bytes < total_bytes / 20; }
};
DiskSpace SpaceOn(const std::string& path);

}  // namespace coxswain::worker
