#include "trainer/runtime/torch_place.h"

#include <dlfcn.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string_view>

#include "trainer/blob/text.h"

namespace coxswain::trainer {
namespace {

namespace fs = std::filesystem;
using blob::Cat;

constexpr char kRelease[] = COXSWAIN_TORCH_RELEASE;

// "2.11.0+cu130" of torch/version.py; "": there is none.
std::string VersionOf(const fs::path& folder) {
  std::ifstream file(folder / "version.py");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("__version__")) continue;
    const size_t from = line.find_first_of("'\"");
    const size_t to = line.find_last_of("'\"");
    if (from != std::string::npos && from < to) return line.substr(from + 1, to - from - 1);
  }
  return "";
}

bool IsTorch(const fs::path& folder) {
  std::error_code error;
  return fs::exists(folder / "lib" / "libtorch_cpu.so", error);
}

std::string Release(const std::string& version) { return version.substr(0, version.find('+')); }

// prefix/lib/python3.N/{site,dist}-packages/torch, the newest Python first; Debian's too.
std::vector<fs::path> PackagesBelow(const fs::path& prefix) {
  std::error_code error;
  std::vector<fs::path> pythons;
  for (const auto& entry : fs::directory_iterator(prefix / "lib", error)) {
    if (entry.path().filename().string().starts_with("python3")) pythons.push_back(entry.path());
  }
  std::sort(pythons.begin(), pythons.end(), [](const fs::path& a, const fs::path& b) {
    const std::string x = a.filename(), y = b.filename();  // python3.9 before python3.12
    return x.size() != y.size() ? x.size() > y.size() : x > y;
  });
  std::vector<fs::path> found;
  for (const fs::path& python : pythons) {
    for (const char* packages : {"site-packages", "dist-packages"}) {
      const fs::path torch = python / packages / "torch";
      if (IsTorch(torch)) found.push_back(torch);
    }
  }
  return found;
}

std::vector<fs::path> Prefixes(const Lookup& environment, const fs::path& root) {
  std::vector<fs::path> prefixes;
  auto add = [&](const fs::path& prefix) {
    const bool known = std::find(prefixes.begin(), prefixes.end(), prefix) != prefixes.end();
    if (!prefix.empty() && !known) prefixes.push_back(prefix);
  };
  for (const char* name : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    if (const char* value = environment(name)) add(value);
  }
  if (const char* path = environment("PATH")) {
    std::istringstream folders(path);
    std::error_code error;
    for (std::string folder; std::getline(folders, folder, ':');) {
      const fs::path python = fs::path(folder) / "python3";
      if (folder.empty() || !fs::exists(python, error)) continue;
      add(fs::path(folder).parent_path());
      // What a link of another folder leads to.
      const fs::path real = fs::canonical(python, error);
      if (!error) add(real.parent_path().parent_path());
    }
  }
  if (const char* home = environment("HOME")) add(fs::path(home) / ".local");
  for (const char* prefix : {"usr/local", "usr", "opt/conda"}) add(root / prefix);
  return prefixes;
}

std::string Advice() {
  return Cat("install it with pip (pip install torch==", kRelease,
             "), or set COXSWAIN_TORCH to the folder of the package torch");
}

absl::StatusOr<fs::path> Named(const fs::path& folder) {
  if (!IsTorch(folder)) {
    return absl::NotFoundError(Cat("COXSWAIN_TORCH: ", folder.string(),
                                   " has no lib/libtorch_cpu.so: expected the folder of the "
                                   "package torch, like .../site-packages/torch"));
  }
  const std::string version = VersionOf(folder);
  if (!version.empty() && Release(version) != kRelease) {
    return absl::NotFoundError(Cat("COXSWAIN_TORCH: found LibTorch ", version, " at ",
                                   folder.string(), ", expected ", kRelease));
  }
  return folder;
}

}  // namespace

absl::StatusOr<fs::path> FindTorch(const Lookup& environment, const fs::path& root) {
  const char* named = environment("COXSWAIN_TORCH");
  if (named != nullptr && *named != '\0') return Named(named);
  std::string others, tried;
  for (const fs::path& prefix : Prefixes(environment, root)) {
    tried += (tried.empty() ? "" : ", ") + prefix.string();
    for (const fs::path& folder : PackagesBelow(prefix)) {
      const std::string version = VersionOf(folder);
      if (Release(version) == kRelease) return folder;
      others += Cat(others.empty() ? "; found " : ", ", version.empty() ? "one" : version, " at ",
                    folder.string());
    }
  }
  return absl::NotFoundError(Cat("LibTorch ", kRelease, " is not on this machine", others, ": ",
                                 Advice(), "; looked below ", tried));
}

absl::Status LoadTorch(const fs::path& folder) {
  for (const char* library : {"libc10.so", "libtorch_cpu.so"}) {
    const fs::path path = folder / "lib" / library;
    if (dlopen(path.c_str(), kTorchFlags) == nullptr) {
      return absl::UnimplementedError(Cat("cannot load LibTorch: ", dlerror()));
    }
  }
  return absl::OkStatus();
}

}  // namespace coxswain::trainer
