// file://: objects are files below a folder. An object is written to a temporary file beside its
// place
// (".NAME.RANDOM.tmp"), synced, renamed and its folder synced; new folders are synced into their
// parents.
#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "trainer/blob/blob_store.h"
#include "trainer/blob/file_ops.h"

namespace coxswain::trainer::blob {

class FileBlobStore final : public BlobStore {
 public:
  // `folder`: an absolute path without a trailing '/'. `files` outlives the store.
  FileBlobStore(std::string folder, FileOps& files, std::shared_ptr<Patience> patience);

  const std::string& uri() const override { return uri_; }
  absl::Status Put(std::string_view name, std::string_view bytes) override;
  absl::Status PutIfAbsent(std::string_view name, std::string_view bytes) override;
  absl::StatusOr<std::unique_ptr<BlobWriter>> Create(std::string_view name) override;
  absl::StatusOr<std::string> Get(std::string_view name) override;
  absl::Status GetRange(std::string_view name, uint64_t offset, char* to, uint64_t bytes) override;
  absl::StatusOr<uint64_t> Size(std::string_view name) override;
  absl::StatusOr<std::vector<BlobInfo>> List(std::string_view prefix) override;
  absl::Status Delete(std::string_view name) override;
  absl::StatusOr<uint64_t> AbortUploads(std::string_view prefix) override;

 private:
  class Writer;
  struct Walk {
    std::vector<BlobInfo> objects;
    std::vector<std::string> leftovers;  // names of temporary files
  };
  std::string PathOf(std::string_view name) const;
  absl::Status Read(std::string_view name, uint64_t offset, char* to, uint64_t bytes);
  // Makes the folder and those above it durable; `fresh`: also if this store has done so before.
  absl::Status EnsureFolder(const std::string& folder, bool fresh);
  absl::Status SyncFolder(const std::string& folder);
  absl::Status WalkFolder(const std::string& name, Walk* walk);
  absl::Status Remove(std::string_view name);

  const std::string folder_, uri_;
  FileOps& files_;
  const std::shared_ptr<Patience> patience_;
  std::mutex mutex_;
  std::set<std::string> durable_folders_;
};

}  // namespace coxswain::trainer::blob
