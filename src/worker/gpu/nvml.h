// NVML, loaded when it is there. Our own declarations of what is used of it (NVIDIA Management
// Library API reference), so that building needs no CUDA. Any call may hang when a driver is sick:
// only GpuWatch's own thread calls these.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "worker/core/gpu_facts.h"

namespace coxswain::worker::gpu {

class Nvml {
 public:
  // Nothing, with `problem` in one line, when there is no library or no driver.
  static std::unique_ptr<Nvml> Load(const std::string& library, std::string& problem);
  ~Nvml();
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  // All GPUs, ascending by index. A GPU that cannot be asked has `problem` set.
  std::vector<core::GpuFacts> Probe(std::string& note);

 private:
  struct Calls;
  explicit Nvml(std::unique_ptr<Calls> calls);
  void WatchForXids(unsigned count);
  void TakeXids();
  core::GpuFacts Ask(unsigned index);
  void AskHealth(void* device, core::GpuFacts& facts);

  std::unique_ptr<Calls> calls_;
  void* events_ = nullptr;  // an event set for critical Xids, of `watched_` GPUs
  unsigned watched_ = 0;
  std::vector<std::pair<std::string, uint64_t>> fatal_xids_;  // by UUID
};

}  // namespace coxswain::worker::gpu
