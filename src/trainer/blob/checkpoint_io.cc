// The writing half of checkpoint_io.h; checkpoint_reader.cc has the reading half.
#include "trainer/blob/checkpoint_io.h"

#include <algorithm>

#include "trainer/blob/hasher.h"
#include "trainer/blob/safetensors.h"
#include "trainer/blob/shard_reader.h"
#include "trainer/blob/text.h"

namespace coxswain::trainer::blob {
namespace {

constexpr uint64_t kWriteBytes = 16 << 20;

std::string At(const BlobStore& store, std::string_view name) {
  return Cat(store.uri(), "/", name);
}

absl::Status ConfirmSize(BlobStore& store, std::string_view name, uint64_t bytes) {
  absl::StatusOr<uint64_t> found = store.Size(name);
  if (absl::IsNotFound(found.status())) {
    return absl::NotFoundError(Cat("shard ", At(store, name), " is missing: expected ", bytes,
                                   " bytes; do all machines see this store?"));
  }
  if (!found.ok()) return found.status();
  if (*found != bytes) {
    return absl::DataLossError(
        Cat("shard ", At(store, name), ": found ", *found, " bytes, expected ", bytes));
  }
  return absl::OkStatus();
}

absl::Status WriteInParts(BlobWriter& writer, std::string_view bytes) {
  while (!bytes.empty()) {
    std::string_view part = bytes.substr(0, kWriteBytes);
    if (absl::Status status = writer.Write(part); !status.ok()) return status;
    bytes.remove_prefix(part.size());
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status StoreShard(BlobStore& store, const ShardBuffer& shard) {
  absl::StatusOr<std::unique_ptr<BlobWriter>> writer = store.Create(shard.shard().object);
  if (!writer.ok()) return writer.status();
  if (absl::Status status = WriteInParts(**writer, shard.bytes()); !status.ok()) return status;
  if (absl::Status status = (*writer)->Commit(); !status.ok()) return status;
  return ConfirmSize(store, shard.shard().object, shard.shard().bytes);
}

absl::StatusOr<std::string> StoreManifest(BlobStore& store, const Manifest& manifest) {
  for (const protocol::Shard& shard : manifest.shards) {
    if (absl::Status status = ConfirmSize(store, shard.object, shard.bytes); !status.ok()) {
      return status;
    }
  }
  std::string json = ToJson(manifest);
  if (absl::Status status = store.Put(kManifestName, json); !status.ok()) return status;
  return HashHex(json);
}

absl::Status DescribeShards(BlobStore& store, Manifest* manifest) {
  Patience patience(RetryPolicy{}, Cat("checkpoint store ", store.uri()));
  manifest->tensors.clear();
  for (const protocol::Shard& shard : manifest->shards) {
    ShardReader reader(store, patience, shard);
    if (absl::Status status = reader.ReadHeader(); !status.ok()) return status;
    for (const PlacedPiece& piece : reader.pieces()) manifest->tensors.push_back(piece.tensor);
  }
  return absl::OkStatus();
}

absl::Status StoreCommitted(BlobStore& store, std::string_view manifest_hash) {
  std::string text = CommittedText(manifest_hash);
  absl::Status status = store.PutIfAbsent(kCommittedName, text);
  if (!absl::IsAlreadyExists(status)) return status;
  absl::StatusOr<std::string> found = store.Get(kCommittedName);  // an earlier try of this call
  if (!found.ok()) return found.status();
  if (*found == text) return absl::OkStatus();
  return absl::DataLossError(
      Cat(At(store, kCommittedName), " names another manifest: found ", *found));
}

absl::StatusOr<protocol::Shard> StoreModel(BlobStore& store, std::string_view name,
                                           const std::vector<TensorInfo>& tensors,
                                           const std::map<std::string, std::string>& metadata,
                                           ShardBuffer::Copy copy) {
  absl::StatusOr<std::unique_ptr<BlobWriter>> writer = store.Create(name);
  if (!writer.ok()) return writer.status();
  std::string header = SafetensorsHeader(tensors, metadata);
  Hasher hasher;
  hasher.Add(header);
  uint64_t total = header.size();
  if (absl::Status status = (*writer)->Write(header); !status.ok()) return status;
  auto buffer = std::make_unique_for_overwrite<char[]>(kWriteBytes);
  for (size_t i = 0; i < tensors.size(); ++i) {
    for (uint64_t done = 0, all = tensors[i].bytes(); done < all;) {
      uint64_t bytes = std::min(kWriteBytes, all - done);
      copy({i, done, bytes}, buffer.get());
      hasher.Add({buffer.get(), bytes});
      if (absl::Status status = (*writer)->Write({buffer.get(), bytes}); !status.ok())
        return status;
      done += bytes;
      total += bytes;
    }
  }
  if (absl::Status status = (*writer)->Commit(); !status.ok()) return status;
  return protocol::Shard{0, std::string(name), total, hasher.Hex()};
}

}  // namespace coxswain::trainer::blob
