// What only CUDA's libraries can do: a module of its own (trainer/cuda) that is loaded for jobs
// that ask for GPUs. All else goes by LibTorch's tensors, wherever they are.
#pragma once

#include <ATen/core/Tensor.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "absl/status/statusor.h"
#include "common/config/job_spec.h"

namespace coxswain::trainer::engine {

// This process's GPU: the first that CUDA shows it. (The worker shows a rank those that it was
// given, by UUID.) Everything may throw what LibTorch throws.
class Gpu {
 public:
  virtual ~Gpu() = default;
  virtual at::Device device() const = 0;
  virtual std::string name() const = 0;  // "NVIDIA H200"
  // The most that LibTorch has ever had of its memory, in bytes.
  virtual int64_t peak_memory() const = 0;
  // For the whole process, from now on.
  virtual void AllowTf32(config::Tf32 of) = 0;
  // Notes what `work` tells the GPU on this thread's stream, which is not the default one, and
  // does nothing of it: what is returned does, each time, with the same memory. `work` must not
  // wait for the GPU. If that throws, the GPU can be used as before.
  virtual std::function<void()> Record(const std::function<void()>& work) = 0;
  // A process group by NCCL, connected. It never ends the process: a collective that cannot end is
  // ended by Backend::abort.
  virtual c10::intrusive_ptr<c10d::Backend> MakeBackend(c10::intrusive_ptr<c10d::Store> store,
                                                        int rank, int size,
                                                        std::chrono::milliseconds timeout) = 0;
};

inline constexpr char kGpuModule[] = "libcoxswain_cuda.so";
// extern "C" in the module. Null: no GPU can be used, and `why` says why.
inline constexpr char kOpenGpuSymbol[] = "CoxswainOpenGpu";
using OpenGpuFunction = Gpu* (*)(std::string* why);

// Loads the module from beside the engine's, and with it the libraries of CUDA. UNIMPLEMENTED:
// this machine, or this build, cannot train on GPUs, and why, in one line.
absl::StatusOr<std::unique_ptr<Gpu>> OpenGpu();

}  // namespace coxswain::trainer::engine
