#include "trainer/task/collector.h"

#include <algorithm>

#include "trainer/blob/blob_names.h"
#include "trainer/blob/manifest.h"
#include "trainer/blob/text.h"

namespace coxswain::trainer::task {
namespace {

using blob::BlobInfo;
using blob::Cat;

// The folder's name below the prefix.
absl::StatusOr<std::string> NameBelow(const std::string& prefix, const std::string& uri) {
  absl::StatusOr<blob::StoreUri> parsed = blob::ParseStoreUri(uri);
  if (!parsed.ok()) return parsed.status();
  std::string text = parsed->ToString();
  std::string below = prefix.ends_with('/') ? prefix : prefix + "/";
  if (text.starts_with(below) && text.size() > below.size()) return text.substr(below.size());
  return absl::InvalidArgumentError(
      Cat("nothing was deleted: ", text, " does not lie below ", prefix, ", the store of the job"));
}

// 0: first, 2: last.
int Turn(const std::string& folder, const BlobInfo& blob) {
  if (blob.name == Cat(folder, "/", blob::kCommittedName)) return 0;
  return blob.name == Cat(folder, "/", blob::kManifestName) ? 2 : 1;
}

absl::Status CollectFolder(blob::BlobStore& store, const std::string& folder,
                           Collected* collected) {
  absl::StatusOr<std::vector<BlobInfo>> found = store.List(folder);
  if (!found.ok()) return found.status();
  std::stable_sort(found->begin(), found->end(), [&](const BlobInfo& a, const BlobInfo& b) {
    return Turn(folder, a) < Turn(folder, b);
  });
  for (const BlobInfo& blob : *found) {
    if (absl::Status status = store.Delete(blob.name); !status.ok()) return status;
    ++collected->deleted;
    collected->bytes += blob.bytes;
  }
  absl::StatusOr<uint64_t> aborted = store.AbortUploads(folder);
  if (!aborted.ok()) return aborted.status();
  collected->aborted_uploads += *aborted;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Collected> Collect(const std::string& prefix, const std::vector<std::string>& uris,
                                  const blob::StoreSettings& settings) {
  absl::StatusOr<std::unique_ptr<blob::BlobStore>> store = blob::OpenStore(prefix, settings);
  if (!store.ok()) return store.status();
  std::vector<std::string> folders;
  for (const std::string& uri : uris) {
    absl::StatusOr<std::string> name = NameBelow((*store)->uri(), uri);
    if (!name.ok()) return name.status();
    folders.push_back(*std::move(name));
  }
  Collected collected;
  for (const std::string& folder : folders) {
    absl::Status status = CollectFolder(**store, folder, &collected);
    if (!status.ok()) return status;
  }
  return collected;
}

}  // namespace coxswain::trainer::task
