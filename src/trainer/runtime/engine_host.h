// Loads the engine's module, and with it LibTorch.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "trainer/engine/engine_module.h"

namespace coxswain::trainer {

// From the program's folder or ../lib; LibTorch from where it was at the build, else from where
// FindTorch finds it. NOT_FOUND: LibTorch is not on this machine. INTERNAL: it is not there or
// cannot be loaded. The module stays loaded for the life of the process.
absl::StatusOr<std::unique_ptr<engine::Engine>> LoadEngine();

}  // namespace coxswain::trainer
