// Checkpoints in a store: what a trainer calls to save and restore, and a task to verify.
//
// A checkpoint is a folder (its URI, chosen by the coordinator, used once): one shard per rank,
// manifest.json, and `committed` once the coordinator has recorded it. No object is replaced by
// other bytes; a repeated write stores the same ones.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trainer/blob/blob_store.h"
#include "trainer/blob/manifest.h"
#include "trainer/blob/shard.h"

namespace coxswain::trainer::blob {

// Stores a shard in parts and confirms its size. OK when it is durable.
absl::Status StoreShard(BlobStore& store, const ShardBuffer& shard);
// Confirms that every shard is there with its size, then writes the manifest; returns its hash.
// NOT_FOUND or DATA_LOSS names the shard (a file:// store that the machines do not share ends
// here).
absl::StatusOr<std::string> StoreManifest(BlobStore& store, const Manifest& manifest);
absl::Status StoreCommitted(BlobStore& store, std::string_view manifest_hash);
// Fills `manifest->tensors` with what the shards' own headers say: for ranks of which none knows
// what the others have. Errors as ReadCheckpoint's.
absl::Status DescribeShards(BlobStore& store, Manifest* manifest);

// ---- reading back ----

struct ReadOptions {
  std::string manifest_hash =
      "";  // from the coordinator's record, then `committed` is not asked for
  bool allow_uncommitted = false;  // take one without `committed` though no hash is known
};

// What ReadCheckpoint gives: every tensor whole, in host memory.
struct RestoredState {
  CheckpointInfo info;
  std::string manifest_hash;
  std::vector<TensorInfo> tensors;            // as saved
  std::vector<std::unique_ptr<char[]>> data;  // data[i] holds tensors[i].bytes() bytes
  // Index of the tensor of that name; -1: none.
  int Find(std::string_view name) const;
};

// Restores. Checks `committed`, the manifest's hash, every shard's size and hash, and that the
// shards cover every byte of every tensor once. Errors, each naming the object, found and expected:
//   DATA_LOSS            missing or truncated shard, flipped bit, changed or malformed manifest
//   NOT_FOUND            no manifest at this URI, and no hash was given
//   FAILED_PRECONDITION  not committed, or of another format number
//   retryable codes      the store could not be read, after the patience of `settings`
absl::StatusOr<RestoredState> ReadCheckpoint(std::string_view uri, const StoreSettings& settings,
                                             const ReadOptions& options);

// What a restore would find, without the data: manifest, `committed`, and every shard's size and
// header. Same errors.
absl::StatusOr<Manifest> InspectCheckpoint(std::string_view uri, const StoreSettings& settings,
                                           const ReadOptions& options);

struct VerifiedCheckpoint {
  Manifest manifest;
  std::string manifest_hash;
  bool committed = false;
  uint64_t bytes = 0;
};
// Reads and hashes everything without keeping it. Same errors; `committed` is only noted.
absl::StatusOr<VerifiedCheckpoint> VerifyCheckpoint(std::string_view uri,
                                                    const StoreSettings& settings,
                                                    const ReadOptions& options);

// Proved wrong, as against "could not be read now": GenerationFormed::Refused::corrupt.
bool IsCorrupt(const absl::Status& status);

// ---- export ----

// Writes a plain safetensors object, readable by any safetensors library. `copy` as in ShardBuffer.
// Returns size and hash (rank 0).
absl::StatusOr<protocol::Shard> StoreModel(BlobStore& store, std::string_view name,
                                           const std::vector<TensorInfo>& tensors,
                                           const std::map<std::string, std::string>& metadata,
                                           ShardBuffer::Copy copy);

}  // namespace coxswain::trainer::blob
