// Keeps looking at this machine's GPUs on threads of its own, so that an NVML call that hangs holds
// up nobody.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "worker/core/gpu_facts.h"

namespace coxswain::worker::gpu {

struct Observation {
  std::vector<core::GpuFacts> gpus;
  std::string note;  // why there are none: "libnvidia-ml.so.1 not found"
  friend bool operator==(const Observation&, const Observation&) = default;
};

class GpuWatch {
 public:
  struct Settings {
    std::string library;                         // path or name
    base::Duration every = base::seconds(5);     // between two looks
    base::Duration patience = base::seconds(3);  // then NVML "does not answer"
  };
  // `observed` is called on one of the watch's threads: after the first look, and whenever it
  // differs from the last call; never again once the destructor has returned. If NVML hangs, all
  // GPUs seen before are reported as unavailable, "NVML does not answer since 12:03:11", until it
  // answers.
  GpuWatch(Settings settings, std::function<void(const Observation&)> observed);
  // Does not wait for a call that hangs.
  ~GpuWatch();
  GpuWatch(const GpuWatch&) = delete;
  GpuWatch& operator=(const GpuWatch&) = delete;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;  // outlives this if a look hangs
};

}  // namespace coxswain::worker::gpu
