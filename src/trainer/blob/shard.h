// One rank's share of the state: the tensors, laid end to end in their given order, are split
// evenly by bytes over the ranks; a tensor may be cut, at a whole element. A share is stored as one
// safetensors object whose metadata says which tensor, shape and bytes each entry is (key
// "coxswain.pieces").
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "common/protocol/trainer_messages.h"
#include "trainer/blob/tensor_info.h"

namespace coxswain::trainer::blob {

// Contiguous bytes of one tensor.
struct Piece {
  size_t tensor = 0;    // index in the list of tensors
  uint64_t offset = 0;  // in the tensor's bytes
  uint64_t bytes = 0;
  friend bool operator==(const Piece&, const Piece&) = default;
};

// The pieces of `rank`; over all ranks every byte of every tensor stands exactly once. Tensors
// without bytes belong to nobody.
std::vector<Piece> ShareOf(const std::vector<TensorInfo>& tensors, protocol::Rank rank,
                           uint32_t world_size);

// A whole safetensors object in host memory, with its hash. Immutable once built; share it between
// threads freely.
class ShardBuffer {
 public:
  // Copies bytes [piece.offset, +piece.bytes) of tensor piece.tensor to `to`.
  using Copy = absl::FunctionRef<void(const Piece& piece, char* to)>;
  // Called at the step that is saved: allocates, copies through `copy`, hashes each piece as it is
  // copied. `copy` runs on the calling thread, pieces in ascending order, each at most 16 MiB long.
  static std::shared_ptr<const ShardBuffer> Build(const std::vector<TensorInfo>& tensors,
                                                  protocol::Rank rank, uint32_t world_size,
                                                  Copy copy);

  // These pieces, in ascending order, are this rank's.
  static std::shared_ptr<const ShardBuffer> Build(const std::vector<TensorInfo>& tensors,
                                                  const std::vector<Piece>& pieces,
                                                  protocol::Rank rank, Copy copy);

  // All of these tensors are this rank's.
  static std::shared_ptr<const ShardBuffer> BuildWhole(const std::vector<TensorInfo>& tensors,
                                                       protocol::Rank rank, Copy copy);

  std::string_view bytes() const { return {data_.get(), size_}; }
  // rank, object ("rank-00000.safetensors"), bytes and hash.
  const protocol::Shard& shard() const { return shard_; }

 private:
  ShardBuffer() = default;
  std::unique_ptr<char[]> data_;
  size_t size_ = 0;
  protocol::Shard shard_;
};

// What a shard's header says: which bytes of the object are which bytes of which tensor.
struct PlacedPiece {
  TensorInfo tensor;    // the whole tensor
  uint64_t offset = 0;  // in the tensor
  uint64_t bytes = 0;
  uint64_t object_offset = 0;  // in the object
};
// Bytes of the object before its data, from its first 8. INVALID_ARGUMENT if that cannot be.
absl::StatusOr<uint64_t> ShardHeaderBytes(std::string_view first8, uint64_t object_bytes);
// `header`: the object's first ShardHeaderBytes. The pieces ascend and fill the object to its end.
// INVALID_ARGUMENT says what is wrong.
absl::StatusOr<std::vector<PlacedPiece>> ParseShardHeader(std::string_view header,
                                                          uint64_t object_bytes);

}  // namespace coxswain::trainer::blob
