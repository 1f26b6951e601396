// The module libcoxswain_cuda.so: the only code that sees CUDA and NCCL.
#include <ATen/Context.h>
#include <ATen/core/CachingHostAllocator.h>
#include <ATen/cuda/CUDAContext.h>
#include <ATen/cuda/CUDAGraph.h>
#include <ATen/cuda/Exceptions.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <cuda_runtime_api.h>

#include <cstdlib>
#include <memory>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include "trainer/engine/device/gpu.h"

namespace coxswain::trainer::cuda {
namespace {

constexpr c10::DeviceIndex kFirst = 0;

class CudaGpu : public engine::Gpu {
 public:
  CudaGpu() {
    c10::cuda::set_device(kFirst);
    at::globalContext().lazyInitDevice(c10::DeviceType::CUDA);
  }

  at::Device device() const override { return {c10::DeviceType::CUDA, kFirst}; }
  std::string name() const override { return at::cuda::getDeviceProperties(kFirst)->name; }
  int64_t peak_memory() const override {
    using c10::CachingAllocator::StatType;
    const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(kFirst);
    return stats.allocated_bytes[static_cast<size_t>(StatType::AGGREGATE)].peak;
  }
  void AllowTf32(config::Tf32 of) override {
    at::globalContext().setAllowTF32CuBLAS(of == config::Tf32::kAll);
    at::globalContext().setAllowTF32CuDNN(of != config::Tf32::kNone);
  }

  std::function<void()> Record(const std::function<void()>& work) override {
    AT_CUDA_CHECK(cudaDeviceSynchronize());
    c10::cuda::CUDACachingAllocator::emptyCache();  // the graph has memory of its own
    auto graph = std::make_shared<at::cuda::CUDAGraph>();
    const at::cuda::MempoolId_t pool = at::cuda::graph_pool_handle();
    try {
      // Of this thread alone: the batches' thread and NCCL's watchdog go on with theirs.
      graph->capture_begin(pool, cudaStreamCaptureModeThreadLocal);
      work();
      graph->capture_end();
    } catch (...) {
      EndFailed(*graph, pool);
      throw;
    }
    return [graph] { graph->replay(); };
  }

  c10::intrusive_ptr<c10d::Backend> MakeBackend(c10::intrusive_ptr<c10d::Store> store, int rank,
                                                int size,
                                                std::chrono::milliseconds timeout) override {
    auto options = c10d::ProcessGroupNCCL::Options::create();
    options->timeout = timeout;
    auto nccl = c10::make_intrusive<c10d::ProcessGroupNCCL>(store, rank, size, options);
    // Now, while nobody waits for a step, rather than in the first one.
    nccl->setBoundDeviceId(device());
    nccl->eagerConnectSingleDevice(device());
    return nccl;
  }

 private:
  // Leaves the stream and the allocators as they were, however far it came: neither may ask `graph`
  // any more which memory is its own, and what the step took must go back, the more so where it was
  // memory that it failed for.
  static void EndFailed(at::cuda::CUDAGraph& graph, const at::cuda::MempoolId_t& pool) {
    namespace allocator = c10::cuda::CUDACachingAllocator;
    auto try_to = [](const auto& end) {
      try {
        end();
        return true;
      } catch (const std::exception&) {  // it never began, is over, or is invalid
        return false;
      }
    };
    try_to([&] { graph.capture_end(); });
    // Of an ended one the graph itself gives back what it had.
    if (!try_to([&] { graph.pool(); })) {
      at::HostAllocator* pinned = at::getHostAllocator(at::kCUDA);
      try_to([&] { allocator::endAllocateToPool(kFirst, pool); });
      try_to([&] { allocator::releasePool(kFirst, pool); });
      try_to([&] { pinned->end_allocate_to_pool(pool); });
      try_to([&] { pinned->release_pool(pool); });
    }
    cudaGetLastError();
  }
};

}  // namespace
}  // namespace coxswain::trainer::cuda

extern "C" coxswain::trainer::engine::Gpu* CoxswainOpenGpu(std::string* why) {
  // An error of NCCL is for us to handle: by default its watchdogs end the process. Before the
  // first group is made.
  for (const char* name : {"TORCH_NCCL_ASYNC_ERROR_HANDLING", "TORCH_NCCL_ENABLE_MONITORING"}) {
    setenv(name, "0", /*replace=*/1);
  }
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess || count == 0) {
    *why = std::string("CUDA finds no GPU: ") +
           (error == cudaSuccess ? "none is shown to this process" : cudaGetErrorString(error));
    return nullptr;
  }
  try {
    return new coxswain::trainer::cuda::CudaGpu();
  } catch (const std::exception& failed) {
    const std::string text = failed.what();
    *why = text.substr(0, text.find('\n'));
    return nullptr;
  }
}
