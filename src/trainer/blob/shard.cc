#include "trainer/blob/shard.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "trainer/blob/hasher.h"
#include "trainer/blob/safetensors.h"
#include "trainer/blob/text.h"

namespace coxswain::trainer::blob {
namespace {

using nlohmann::ordered_json;

constexpr char kPiecesKey[] = "coxswain.pieces";
constexpr uint64_t kCopyBytes = 16 << 20;

// Where in the whole state `rank`'s share begins: an even split, moved down to a whole element.
uint64_t ShareBegin(const std::vector<TensorInfo>& tensors, uint64_t total, uint64_t rank,
                    uint64_t world_size) {
  uint64_t even = static_cast<uint64_t>(static_cast<unsigned __int128>(total) * rank / world_size);
  uint64_t start = 0;
  for (const TensorInfo& tensor : tensors) {
    uint64_t bytes = tensor.bytes();
    if (even < start + bytes) return even - (even - start) % ElementBytes(tensor.dtype);
    start += bytes;
  }
  return total;
}

bool IsWhole(const Piece& piece, const TensorInfo& tensor) {
  return piece.offset == 0 && piece.bytes == tensor.bytes();
}

// A whole tensor keeps its name and shape; a part is a flat entry named by its bytes.
TensorInfo EntryOf(const Piece& piece, const TensorInfo& tensor) {
  if (IsWhole(piece, tensor)) return tensor;
  return {Cat(tensor.name, "[", piece.offset, ":", piece.offset + piece.bytes, "]"),
          tensor.dtype,
          {static_cast<int64_t>(piece.bytes / ElementBytes(tensor.dtype))}};
}

std::string ShardHeader(const std::vector<TensorInfo>& tensors, const std::vector<Piece>& pieces) {
  std::vector<TensorInfo> entries;
  ordered_json described = ordered_json::array();
  for (const Piece& piece : pieces) {
    const TensorInfo& tensor = tensors[piece.tensor];
    entries.push_back(EntryOf(piece, tensor));
    described.push_back({{"entry", entries.back().name},
                         {"tensor", tensor.name},
                         {"shape", tensor.shape},
                         {"offset", piece.offset}});
  }
  return SafetensorsHeader(
      entries,
      {{kPiecesKey, described.dump(-1, ' ', false, ordered_json::error_handler_t::replace)}});
}

std::string ShardName(protocol::Rank rank) {
  char name[40];
  snprintf(name, sizeof name, "rank-%05u.safetensors", rank);
  return name;
}

absl::Status Malformed(std::string_view why) {
  return absl::InvalidArgumentError(Cat("malformed shard: ", why));
}

absl::StatusOr<PlacedPiece> ParsePiece(const ordered_json& described, const TensorInfo& entry) {
  if (!described.is_object() || described.value("entry", ordered_json()) != entry.name ||
      !described.value("tensor", ordered_json()).is_string() ||
      !described.value("shape", ordered_json()).is_array() ||
      !described.value("offset", ordered_json()).is_number_unsigned()) {
    return Malformed(Cat("entry '", entry.name, "' is not described"));
  }
  PlacedPiece piece;
  piece.tensor.name = described["tensor"];
  piece.tensor.dtype = entry.dtype;
  for (const auto& size : described["shape"]) {
    if (!size.is_number_unsigned()) return Malformed("a shape that is not of whole numbers");
    piece.tensor.shape.push_back(size);
  }
  piece.offset = described["offset"];
  piece.bytes = entry.bytes();
  return piece;
}

}  // namespace

std::vector<Piece> ShareOf(const std::vector<TensorInfo>& tensors, protocol::Rank rank,
                           uint32_t world_size) {
  uint64_t total = 0;
  for (const TensorInfo& tensor : tensors) total += tensor.bytes();
  uint64_t begin = ShareBegin(tensors, total, rank, world_size);
  uint64_t end = ShareBegin(tensors, total, uint64_t{rank} + 1, world_size);
  std::vector<Piece> pieces;
  uint64_t start = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    uint64_t bytes = tensors[i].bytes();
    uint64_t from = std::max(begin, start), to = std::min(end, start + bytes);
    if (from < to) pieces.push_back({i, from - start, to - from});
    start += bytes;
  }
  return pieces;
}

std::shared_ptr<const ShardBuffer> ShardBuffer::Build(const std::vector<TensorInfo>& tensors,
                                                      protocol::Rank rank, uint32_t world_size,
                                                      Copy copy) {
  return Build(tensors, ShareOf(tensors, rank, world_size), rank, copy);
}

std::shared_ptr<const ShardBuffer> ShardBuffer::BuildWhole(const std::vector<TensorInfo>& tensors,
                                                           protocol::Rank rank, Copy copy) {
  return Build(tensors, ShareOf(tensors, 0, 1), rank, copy);
}

std::shared_ptr<const ShardBuffer> ShardBuffer::Build(const std::vector<TensorInfo>& tensors,
                                                      const std::vector<Piece>& pieces,
                                                      protocol::Rank rank, Copy copy) {
  std::string header = ShardHeader(tensors, pieces);
  uint64_t size = header.size();
  for (const Piece& piece : pieces) size += piece.bytes;

  std::shared_ptr<ShardBuffer> buffer(new ShardBuffer);
  buffer->data_ = std::make_unique_for_overwrite<char[]>(size);
  buffer->size_ = size;
  Hasher hasher;
  std::memcpy(buffer->data_.get(), header.data(), header.size());
  hasher.Add(header);
  char* to = buffer->data_.get() + header.size();
  for (const Piece& piece : pieces) {
    for (uint64_t done = 0; done < piece.bytes;) {
      uint64_t bytes = std::min(kCopyBytes, piece.bytes - done);
      copy({piece.tensor, piece.offset + done, bytes}, to);
      hasher.Add({to, bytes});
      to += bytes;
      done += bytes;
    }
  }
  buffer->shard_ = {rank, ShardName(rank), size, hasher.Hex()};
  return buffer;
}

absl::StatusOr<uint64_t> ShardHeaderBytes(std::string_view first8, uint64_t object_bytes) {
  return SafetensorsHeaderBytes(first8, object_bytes);
}

absl::StatusOr<std::vector<PlacedPiece>> ParseShardHeader(std::string_view header,
                                                          uint64_t object_bytes) {
  absl::StatusOr<ParsedSafetensors> parsed = ParseSafetensorsHeader(header, object_bytes);
  if (!parsed.ok()) return parsed.status();
  auto described = parsed->metadata.find(kPiecesKey);
  if (described == parsed->metadata.end()) {
    return Malformed(Cat("no ", kPiecesKey, " in its metadata"));
  }
  ordered_json list = ordered_json::parse(described->second, nullptr, false);
  if (!list.is_array() || list.size() != parsed->entries.size()) {
    return Malformed(
        Cat(kPiecesKey, " does not describe its ", parsed->entries.size(), " entries"));
  }
  std::vector<PlacedPiece> pieces;
  uint64_t object_offset = *ShardHeaderBytes(header, object_bytes);
  for (size_t i = 0; i < parsed->entries.size(); ++i) {
    absl::StatusOr<PlacedPiece> piece = ParsePiece(list[i], parsed->entries[i]);
    if (!piece.ok()) return piece.status();
    piece->object_offset = object_offset;
    object_offset += piece->bytes;
    pieces.push_back(*std::move(piece));
  }
  return pieces;
}

}  // namespace coxswain::trainer::blob
