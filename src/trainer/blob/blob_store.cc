#include "trainer/blob/blob_store.h"

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>

#include "trainer/blob/blob_names.h"
#include "trainer/blob/file_blob_store.h"
#include "trainer/blob/s3_module.h"
#include "trainer/blob/text.h"

namespace coxswain::trainer::blob {
namespace {

// UNIMPLEMENTED: this installation lacks it, and time does not mend that.
absl::StatusOr<OpenS3Function> LoadS3Module() {
  std::error_code error;
  std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) {
    return absl::UnimplementedError(Cat("cannot find the running program: ", error.message()));
  }
  for (const char* folder : {".", "../lib", "../lib/coxswain"}) {
    std::filesystem::path path = (program.parent_path() / folder / kS3Module).lexically_normal();
    if (!std::filesystem::exists(path, error)) continue;
    void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);  // stays loaded
    if (!module) return absl::UnimplementedError(Cat("cannot load ", dlerror()));
    void* symbol = dlsym(module, kOpenS3Symbol);
    if (!symbol) return absl::UnimplementedError(Cat(path.string(), ": ", dlerror()));
    return reinterpret_cast<OpenS3Function>(symbol);
  }
  return absl::UnimplementedError(Cat(kS3Module, " is neither beside ", program.string(),
                                      " nor in ../lib: s3:// needs it; install Coxswain whole"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<BlobStore>> OpenStore(std::string_view uri,
                                                     const StoreSettings& settings) {
  if (settings.open) return settings.open(uri);
  absl::StatusOr<StoreUri> parsed = ParseStoreUri(uri);
  if (!parsed.ok()) return parsed.status();
  if (parsed->scheme == StoreUri::Scheme::kFile) {
    return std::make_unique<FileBlobStore>(parsed->path, PosixFiles(), settings.patience);
  }
  static const absl::StatusOr<OpenS3Function> open = LoadS3Module();
  if (!open.ok()) return open.status();
  absl::StatusOr<std::unique_ptr<BlobStore>> store = absl::UnknownError("not opened");
  (*open)(*parsed, settings, &store);
  return store;
}

absl::StatusOr<ObjectAt> OpenObject(std::string_view uri, const StoreSettings& settings) {
  absl::StatusOr<StoreUri> parsed = ParseStoreUri(uri);
  if (!parsed.ok()) return parsed.status();
  size_t slash = parsed->path.rfind('/');
  bool top = slash == std::string::npos;
  std::string name = top ? parsed->path : parsed->path.substr(slash + 1);
  if (name.empty()) {
    return absl::InvalidArgumentError(Cat("'", uri, "' names no object"));
  }
  bool is_file = parsed->scheme == StoreUri::Scheme::kFile;
  parsed->path.resize(top ? 0 : std::max<size_t>(slash, is_file ? 1 : 0));
  absl::StatusOr<std::unique_ptr<BlobStore>> store = OpenStore(parsed->ToString(), settings);
  if (!store.ok()) return store.status();
  return ObjectAt{*std::move(store), std::move(name)};
}

bool IsRetryable(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kAborted:
      return true;
    default:
      return false;
  }
}

}  // namespace coxswain::trainer::blob
