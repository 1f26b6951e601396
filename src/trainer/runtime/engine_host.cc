#include "trainer/runtime/engine_host.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "trainer/runtime/torch_place.h"

namespace coxswain::trainer {

absl::StatusOr<std::unique_ptr<engine::Engine>> LoadEngine() {
  std::error_code error;
  std::filesystem::path folder =
      std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  std::string tried;
  for (const auto& path :
       {folder / engine::kModuleFile, folder.parent_path() / "lib" / engine::kModuleFile}) {
    if (!std::filesystem::exists(path, error)) {
      tried += (tried.empty() ? "" : ", ") + path.string();
      continue;
    }
    void* module = dlopen(path.c_str(), kTorchFlags);
    if (module == nullptr) {
      const std::string why = dlerror();
      if (why.find("libtorch_cpu.so") == std::string::npos) {
        return absl::UnimplementedError("cannot load the training engine: " + why);
      }
      // That of a bundle: it was not told where LibTorch is.
      absl::StatusOr<std::filesystem::path> torch = FindTorch(std::getenv);
      if (!torch.ok()) return torch.status();
      if (absl::Status loaded = LoadTorch(*torch); !loaded.ok()) return loaded;
      module = dlopen(path.c_str(), kTorchFlags);
    }
    if (module == nullptr) {
      return absl::UnimplementedError(std::string("cannot load the training engine: ") + dlerror());
    }
    auto factory = reinterpret_cast<engine::ModuleFactory>(dlsym(module, engine::kModuleFactory));
    if (factory == nullptr) {
      return absl::UnimplementedError(path.string() + " is not a training engine of this version");
    }
    return std::unique_ptr<engine::Engine>(factory());
  }
  return absl::UnimplementedError("the training engine is not installed: looked for " + tried);
}

}  // namespace coxswain::trainer
