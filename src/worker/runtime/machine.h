// Facts about this machine.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace coxswain::worker {

std::string HostName();
// CPUs this process may use: its affinity, and its cgroup's limit rounded up.
uint32_t UsableCpus();
// The smaller of the machine's memory and the cgroup's limit.
int64_t MemoryBytes();

// An address, no port, under which other machines reach ours: `advertise` if given; else that of
// `interface`; else the one from which packets to `coordinator` ("HOST:PORT") leave.
absl::StatusOr<std::string> AdvertisedAddress(const std::string& advertise,
                                              const std::string& interface,
                                              const std::string& coordinator);

struct DiskSpace {
  int64_t total_bytes = 0, free_bytes = 0;  // free: for this user
  bool Short() const { return total_bytes > 0 && free_bytes < total_bytes / 20; }
};
DiskSpace SpaceOn(const std::string& path);

}  // namespace coxswain::worker
