#include "trainer/engine/device/gpu.h"

#include <ATen/ATen.h>
#include <dlfcn.h>

#include <filesystem>
#include <system_error>

namespace coxswain::trainer::engine {
namespace {

namespace fs = std::filesystem;

// The file that has this code or data in it.
fs::path FileOf(const void* address) {
  Dl_info info{};
  return dladdr(address, &info) == 0 || info.dli_fname == nullptr ? fs::path() : info.dli_fname;
}

absl::Status Cannot(const std::string& why) {
  return absl::UnimplementedError(
      "this job trains on GPUs (spec.resources.gpus), and here it "
      "cannot: " +
      why);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Gpu>> OpenGpu() {
  // Without the driver nothing else is worth loading.
  if (dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL) == nullptr) {
    return Cannot("there is no NVIDIA driver on this machine (libcuda.so.1 is missing)");
  }
  const fs::path module = FileOf(kGpuModule).parent_path() / kGpuModule;
  std::error_code error;
  if (!fs::exists(module, error)) {
    return Cannot("Coxswain was built without CUDA (" + module.string() + " is missing)");
  }
  // Beside the LibTorch that is loaded, wherever that is.
  const fs::path torch = FileOf(reinterpret_cast<const void*>(&at::globalContext)).parent_path();
  void* loaded = dlopen(module.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (loaded == nullptr && dlopen((torch / "libtorch_cuda.so").c_str(), RTLD_NOW | RTLD_LOCAL)) {
    loaded = dlopen(module.c_str(), RTLD_NOW | RTLD_LOCAL);
  }
  if (loaded == nullptr) return Cannot(std::string("CUDA's libraries: ") + dlerror());
  auto open = reinterpret_cast<OpenGpuFunction>(dlsym(loaded, kOpenGpuSymbol));
  if (open == nullptr) return Cannot(module.string() + " is of another version");
  std::string why;
  std::unique_ptr<Gpu> gpu(open(&why));
  if (gpu == nullptr) return Cannot(why);
  return gpu;
}

}  // namespace coxswain::trainer::engine
