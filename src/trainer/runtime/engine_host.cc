#include "trainer/runtime/engine_host.h"

#include <dlfcn.h>
#include <unistd.h>

#include <filesystem>
#include <string>

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
    void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (module == nullptr) {
      return absl::InternalError(std::string("cannot load the training engine: ") + dlerror());
    }
    auto factory = reinterpret_cast<engine::ModuleFactory>(dlsym(module, engine::kModuleFactory));
    if (factory == nullptr) {
      return absl::InternalError(path.string() + " is not a training engine of this version");
    }
    return std::unique_ptr<engine::Engine>(factory());
  }
  return absl::InternalError("the training engine is not installed: looked for " + tried);
}

}  // namespace coxswain::trainer
