// What is seen of one GPU, and whether it may be given to a rank.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/protocol/worker_messages.h"

namespace coxswain::worker::core {

struct GpuProcess {
  int64_t pid = 0;
  std::string name;  // empty: not visible from here (another PID namespace)
  friend bool operator==(const GpuProcess&, const GpuProcess&) = default;
};

// As the worker's gpu room reports it.
struct GpuFacts {
  std::string uuid;
  std::string name;
  uint32_t index = 0;
  int64_t memory_bytes = 0;
  std::vector<GpuProcess> processes;  // that hold memory on it
  uint64_t fatal_xid = 0;             // the last one since the driver was loaded; 0: none
  uint64_t uncorrectable_ecc = 0;     // volatile count
  std::string problem;                // "NVML does not answer since 12:03:11"; empty: none
  friend bool operator==(const GpuFacts&, const GpuFacts&) = default;
};

// True for an Xid after which a GPU is of no use before a reset (NVIDIA's "Xid errors": 48, 62, 64,
// 74, 79, 92, 94, 95, 119, 120, 140); other Xids blame the program.
bool IsFatalXid(uint64_t xid);

// `ours`: a live rank of this worker has it, so processes on it are expected.
protocol::GpuInfo JudgeGpu(const GpuFacts& facts, bool ours);

}  // namespace coxswain::worker::core
