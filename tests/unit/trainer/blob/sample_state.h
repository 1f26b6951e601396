// A small state to save and restore: several element types, a tensor large enough to be cut, an
// empty one.
#pragma once

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "common/base/rng.h"
#include "trainer/blob/checkpoint_io.h"

namespace coxswain::trainer::blob {

struct SampleState {
  std::vector<TensorInfo> tensors;
  std::vector<std::string> data;
  std::map<std::string, std::string> more;  // of the manifest's `state`
  int64_t position = 64000;

  explicit SampleState(uint64_t seed, int64_t rows = 101) {
    base::Rng random(seed);
    tensors = {{"conv.weight", DType::kFloat32, {rows, 17}},
               {"conv.bias", DType::kFloat64, {3}},
               {"steps", DType::kInt64, {}},
               {"none", DType::kFloat32, {0, 4}},
               {"mask", DType::kBool, {5}},
               {"head.weight", DType::kBFloat16, {7, 11}}};
    for (const TensorInfo& tensor : tensors) {
      std::string bytes(tensor.bytes(), '\0');
      for (char& byte : bytes) byte = static_cast<char>(random.Next());
      data.push_back(std::move(bytes));
    }
  }
  void CopyTo(const Piece& piece, char* to) const {
    std::memcpy(to, data[piece.tensor].data() + piece.offset, piece.bytes);
  }
  std::shared_ptr<const ShardBuffer> Shard(protocol::Rank rank, uint32_t world_size) const {
    return ShardBuffer::Build(tensors, rank, world_size,
                              [this](const Piece& piece, char* to) { CopyTo(piece, to); });
  }
  Manifest ManifestOf(uint32_t world_size) const {
    Manifest manifest{
        {"c-1", "j12", base::Generation(3), 500, 64000, 1, world_size, "0123", {}}, tensors, {}};
    manifest.info.state = {{"random", std::string("\0\xff\x10 bytes", 9)}, {"best", "0.91"}};
    manifest.info.state.insert(more.begin(), more.end());
    manifest.info.position = position;
    for (uint32_t rank = 0; rank < world_size; ++rank) {
      manifest.shards.push_back(Shard(rank, world_size)->shard());
    }
    return manifest;
  }
  // Everything but `committed`; the manifest's hash.
  absl::StatusOr<std::string> Save(BlobStore& store, uint32_t world_size) const {
    for (uint32_t rank = 0; rank < world_size; ++rank) {
      if (absl::Status status = StoreShard(store, *Shard(rank, world_size)); !status.ok()) {
        return status;
      }
    }
    return StoreManifest(store, ManifestOf(world_size));
  }
  bool Equals(const RestoredState& restored) const {
    if (restored.tensors != tensors) return false;
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (std::memcmp(restored.data[i].get(), data[i].data(), data[i].size()) != 0) return false;
    }
    return true;
  }
};

}  // namespace coxswain::trainer::blob
