#include "trainer/runtime/table_files.h"

#include <dlfcn.h>
#include <fnmatch.h>

#include <filesystem>

#include "trainer/blob/text.h"
#include "trainer/table/table_module.h"

namespace coxswain::trainer {
namespace {

using blob::Cat;

// UNIMPLEMENTED: this installation lacks it, and time does not mend that.
absl::StatusOr<table::OpenTableFunction> LoadTablesModule() {
  std::error_code error;
  std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  for (const char* folder : {".", "../lib", "../lib/coxswain"}) {
    const std::filesystem::path path =
        (program.parent_path() / folder / table::kTablesModule).lexically_normal();
    if (!std::filesystem::exists(path, error)) continue;
    void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);  // stays loaded
    if (!module) return absl::UnimplementedError(Cat("cannot load ", dlerror()));
    void* symbol = dlsym(module, table::kOpenTableSymbol);
    if (!symbol) return absl::UnimplementedError(Cat(path.string(), ": ", dlerror()));
    return reinterpret_cast<table::OpenTableFunction>(symbol);
  }
  return absl::UnimplementedError(
      Cat(table::kTablesModule, " is neither beside ", program.string(),
          " nor in ../lib: parquet and csv need it; install Coxswain whole"));
}

bool Hidden(std::string_view name) {
  for (std::string_view part : blob::Split(name, '/')) {
    if (part.starts_with('.') || part.starts_with('_')) return true;
  }
  return false;
}

// Of the files in a folder, those that `takes`, each as `folder`/NAME.
template <class Takes>
absl::Status AddListed(const std::string& folder, const blob::StoreSettings& settings,
                       const Takes& takes, std::vector<std::string>* out) {
  auto store = blob::OpenStore(folder, settings);
  if (!store.ok()) return store.status();
  auto listed = (*store)->List("");
  if (!listed.ok()) return listed.status();
  for (const blob::BlobInfo& info : *listed) {
    if (takes(info.name)) out->push_back(Cat((*store)->uri(), "/", info.name));
  }
  return absl::OkStatus();
}

absl::Status AddPattern(const std::string& uri, const blob::StoreSettings& settings,
                        std::vector<std::string>* out) {
  const size_t slash = uri.rfind('/');
  const std::string pattern = uri.substr(slash + 1), folder = uri.substr(0, slash + 1);
  if (slash == std::string::npos || folder.find_first_of("*?") != std::string::npos) {
    return absl::InvalidArgumentError(
        Cat(uri, ": * and ? may stand in the last part of a path alone, after a folder"));
  }
  const size_t before = out->size();
  absl::Status added = AddListed(
      folder, settings,
      [&](const std::string& name) {
        return name.find('/') == std::string::npos &&
               fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
      },
      out);
  if (!added.ok()) return added;
  if (out->size() > before) return added;
  return absl::NotFoundError(Cat(uri, ": no file matches"));
}

absl::Status AddFolder(const std::string& uri, const std::string& ending,
                       const blob::StoreSettings& settings, std::vector<std::string>* out) {
  const size_t before = out->size();
  absl::Status added = AddListed(
      uri, settings,
      [&](const std::string& name) { return name.ends_with(ending) && !Hidden(name); }, out);
  if (!added.ok()) return added;
  if (out->size() > before) return added;
  return absl::NotFoundError(
      Cat(uri, ": there is no such file, and no ", ending, " file in a folder of this name"));
}

absl::Status AddUri(const std::string& uri, const std::string& ending,
                    const blob::StoreSettings& settings, std::vector<std::string>* out) {
  if (uri.find_first_of("*?") != std::string::npos) return AddPattern(uri, settings, out);
  if (uri.ends_with('/')) return AddFolder(uri, ending, settings, out);
  auto object = blob::OpenObject(uri, settings);
  if (!object.ok()) return object.status();
  absl::StatusOr<uint64_t> bytes = object->store->Size(object->name);
  if (bytes.ok()) {
    out->push_back(uri);
    return absl::OkStatus();
  }
  const bool perhaps_folder =
      absl::IsNotFound(bytes.status()) || absl::IsFailedPrecondition(bytes.status());
  if (!perhaps_folder) return bytes.status();
  return AddFolder(uri, ending, settings, out);
}

}  // namespace

absl::StatusOr<std::vector<std::string>> FindTableFiles(const std::vector<std::string>& uris,
                                                        const std::string& format,
                                                        const blob::StoreSettings& settings) {
  std::vector<std::string> files;
  for (const std::string& uri : uris) {
    absl::Status added = AddUri(uri, "." + format, settings, &files);
    if (!added.ok()) return added;
  }
  return files;
}

absl::StatusOr<data::TableFiles> OpenTableFiles(const std::vector<std::string>& uris,
                                                const config::Data& spec, bool look_only,
                                                const blob::StoreSettings& settings) {
  static const absl::StatusOr<table::OpenTableFunction> open = LoadTablesModule();
  if (!open.ok()) return open.status();
  auto found = FindTableFiles(uris, spec.format, settings);
  if (!found.ok()) return found.status();
  const table::TableFormat format{spec.format == "csv", spec.table.delimiter[0], look_only};
  data::TableFiles files;
  for (const std::string& uri : *found) {
    auto object = blob::OpenObject(uri, settings);
    if (!object.ok()) return object.status();
    absl::StatusOr<std::unique_ptr<data::TableFile>> file = absl::UnknownError("not opened");
    (*open)(*std::move(object), uri, format, &file);
    if (!file.ok()) return file.status();
    files.push_back(*std::move(file));
  }
  return files;
}

}  // namespace coxswain::trainer
