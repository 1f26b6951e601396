// Where LibTorch is on a machine that has it by pip: a bundle of Coxswain (deploy/bundle) comes
// without, and its engine knows no path to it.
#pragma once

#include <dlfcn.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace coxswain::trainer {

using Lookup = std::function<const char*(const char*)>;  // as std::getenv

// The folder of the Python package torch (with lib/libtorch_cpu.so in it), of the release that the
// engine was built against. Looked for, the first that fits is taken: $COXSWAIN_TORCH and nothing
// else if that is set; the environments of $VIRTUAL_ENV and $CONDA_PREFIX; those of each python3 in
// $PATH; $HOME/.local; the system's (`root`/usr/local, `root`/usr, `root`/opt/conda).
// NOT_FOUND: none, with what is to be done and what was found of other releases.
absl::StatusOr<std::filesystem::path> FindTorch(const Lookup& environment,
                                                const std::filesystem::path& root = "/");

// To load LibTorch, and what needs it. Its 130,000 names are then looked for among LibTorch's own
// libraries, not first among the seventy of this program: a quarter less time to load. A sanitizer
// has to see every name first.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kTorchFlags = RTLD_NOW | RTLD_LOCAL;
#else
constexpr int kTorchFlags = RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND;
#endif

// Loads LibTorch's CPU libraries from such a folder, so that what is loaded after them finds them.
absl::Status LoadTorch(const std::filesystem::path& folder);

}  // namespace coxswain::trainer
