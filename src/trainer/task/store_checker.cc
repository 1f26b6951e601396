#include "trainer/task/store_checker.h"

#include <sys/vfs.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <random>

#include "trainer/blob/blob_names.h"
#include "trainer/blob/checkpoint_io.h"
#include "trainer/blob/text.h"

namespace coxswain::trainer::task {
namespace {

using blob::Cat;

std::string RandomName() {
  std::random_device random;
  char text[32];
  snprintf(text, sizeof text, "probe-%08x%08x", random(), random());
  return text;
}

std::string MarkName(std::string_view token) { return Cat("shared-", token); }

// File systems that several machines can mount (statfs(2), and the file systems' own headers).
constexpr uint32_t kShared[] = {
    0x6969,      // NFS
    0xff534d42,  // CIFS
    0xfe534d42,  // SMB2
    0x00c36400,  // CephFS
    0x0bd00bd0,  // Lustre
    0x47504653,  // GPFS
    0x19830326,  // BeeGFS
    0x65735546,  // FUSE: GlusterFS, s3fs, JuiceFS ...
    0x01021997,  // 9p
    0x5346414f,  // AFS
    0x7461636f,  // OCFS2
    0x01161970,  // GFS2
    0x20030528,  // OrangeFS
    0xaad7aaea,  // PanFS
};

}  // namespace

absl::Status CheckStore(blob::BlobStore& store) {
  std::string name = RandomName();
  std::string text = "Coxswain checks that this store can be written, and deletes this again.\n";
  if (absl::Status status = store.Put(name, text); !status.ok()) return status;
  absl::StatusOr<std::string> found = store.Get(name);
  absl::Status deleted = store.Delete(name);
  if (!found.ok()) return found.status();
  if (*found != text) {
    return absl::FailedPreconditionError(
        Cat(store.uri(), ": what was written a moment ago reads differently: use another store"));
  }
  return deleted;
}

absl::Status CheckShared(std::string_view uri) {
  absl::StatusOr<blob::StoreUri> parsed = blob::ParseStoreUri(uri);
  if (!parsed.ok()) return parsed.status();
  if (parsed->scheme != blob::StoreUri::Scheme::kFile) return absl::OkStatus();
  std::filesystem::path path = parsed->path;
  struct statfs info {};
  while (statfs(path.c_str(), &info) != 0 && path.has_relative_path()) path = path.parent_path();
  auto type = static_cast<uint32_t>(info.f_type);
  if (std::find(std::begin(kShared), std::end(kShared), type) != std::end(kShared)) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      Cat("the store ", parsed->ToString(),
          " is on a disk of this machine alone, and the job runs on "
          "several: use s3://..., or a folder that all machines mount (NFS, CephFS, Lustre ...)"));
}

absl::Status WriteMark(blob::BlobStore& store, std::string_view token) {
  return store.Put(MarkName(token), token);
}

absl::Status SeeMark(blob::BlobStore& store, std::string_view token) {
  absl::StatusOr<std::string> found = store.Get(MarkName(token));
  if (found.ok() && *found == token) return absl::OkStatus();
  if (!found.ok() && !absl::IsNotFound(found.status())) return found.status();
  return absl::FailedPreconditionError(
      Cat(store.uri(),
          " is not the same place on all machines: a file that another machine wrote there "
          "is not seen here; use s3://..., or a folder that all machines mount"));
}

absl::Status SeeCheckpoint(std::string_view uri, std::string_view manifest_hash,
                           const blob::StoreSettings& settings) {
  blob::ReadOptions options;
  options.manifest_hash = manifest_hash;
  absl::Status status = blob::InspectCheckpoint(uri, settings, options).status();
  if (!blob::IsCorrupt(status)) return status;
  return absl::FailedPreconditionError(
      Cat("the checkpoint ", uri,
          ", which another machine wrote, is not seen here: ", status.message()));
}

absl::Status RemoveMark(blob::BlobStore& store, std::string_view token) {
  return store.Delete(MarkName(token));
}

}  // namespace coxswain::trainer::task
