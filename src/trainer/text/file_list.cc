#include "trainer/text/file_list.h"

#include <utility>

#include "trainer/blob/text.h"

namespace coxswain::trainer::text {
namespace {

using blob::Cat;

// The files below `folder` whose names `pattern` makes; empty: all, also in folders below it.
absl::Status AddFolder(const std::string& folder, const std::string& pattern,
                       const blob::StoreSettings& settings, std::vector<std::string>* files) {
  auto store = blob::OpenStore(folder, settings);
  if (!store.ok()) return store.status();
  auto listed = (*store)->List("");
  if (!listed.ok()) return listed.status();
  for (const blob::BlobInfo& object : *listed) {
    const bool taken = pattern.empty() ? !object.name.starts_with('.')
                                       : object.name.find('/') == std::string::npos &&
                                             Matches(object.name, pattern);
    if (taken) files->push_back((*store)->uri() + "/" + object.name);
  }
  return absl::OkStatus();
}

absl::Status Add(const std::string& uri, const blob::StoreSettings& settings,
                 std::vector<std::string>* files) {
  const size_t before = files->size(), slash = uri.rfind('/');
  const std::string last = slash == std::string::npos ? uri : uri.substr(slash + 1);
  absl::Status added;
  if (last.empty()) {
    added = AddFolder(uri.substr(0, slash), "", settings, files);
  } else if (last.find_first_of("*?") != std::string::npos) {
    added = AddFolder(uri.substr(0, slash), last, settings, files);
  } else {
    auto object = blob::OpenObject(uri, settings);
    if (!object.ok()) return object.status();
    auto size = object->store->Size(object->name);
    if (size.ok()) {
      files->push_back(uri);
      return absl::OkStatus();
    }
    // A folder without '/' at its end.
    added = AddFolder(uri, "", settings, files);
    if (!added.ok() || files->size() == before) return size.status();
  }
  if (!added.ok() || files->size() > before) return added;
  return absl::NotFoundError(Cat(uri, ": no such file"));
}

}  // namespace

bool Matches(std::string_view name, std::string_view pattern) {
  size_t n = 0, p = 0, star = std::string_view::npos, from = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      from = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++n, ++p;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++from;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

absl::StatusOr<std::vector<std::string>> FilesOf(const std::vector<std::string>& uris,
                                                 const blob::StoreSettings& settings) {
  std::vector<std::string> files;
  for (const std::string& uri : uris) {
    if (absl::Status added = Add(uri, settings, &files); !added.ok()) return added;
  }
  return files;
}

}  // namespace coxswain::trainer::text
