#include "trainer/blob/shard_reader.h"
#include "trainer/blob/text.h"

#include <algorithm>

namespace coxswain::trainer::blob {
namespace {

constexpr uint64_t kReadBytes = 16 << 20;
constexpr uint64_t kFirstRead = 64 << 10;  // most headers whole

}  // namespace

ShardReader::ShardReader(BlobStore& store, Patience& patience, protocol::Shard expected)
    : store_(store), patience_(patience), expected_(std::move(expected)) {}

std::string ShardReader::Called() const {
  return Cat("shard ", store_.uri(), "/", expected_.object);
}

absl::Status ShardReader::Fetch(uint64_t offset, char* to, uint64_t bytes) {
  absl::Status status =
      patience_.Run([&] { return store_.GetRange(expected_.object, offset, to, bytes); });
  if (absl::IsNotFound(status) || absl::IsOutOfRange(status)) {
    return absl::DataLossError(Cat(Called(), " changed while it was read: ", status.message()));
  }
  return status;
}

absl::Status ShardReader::ReadHeader() {
  absl::StatusOr<uint64_t> size = absl::UnknownError("");
  absl::Status status = patience_.Run([&] {
    size = store_.Size(expected_.object);
    return size.status();
  });
  if (absl::IsNotFound(status)) {
    return absl::DataLossError(Cat(Called(), " is missing: expected ", expected_.bytes, " bytes"));
  }
  if (!status.ok()) return status;
  if (*size != expected_.bytes) {
    return absl::DataLossError(Cat(Called(), *size < expected_.bytes ? " is truncated" : "",
                                   ": found ", *size, " bytes, expected ", expected_.bytes));
  }
  std::string header(std::min(kFirstRead, *size), '\0');
  if (status = Fetch(0, header.data(), header.size()); !status.ok()) return status;
  absl::StatusOr<uint64_t> length = ShardHeaderBytes(header, *size);
  if (!length.ok()) return Refuse(Std(length.status().message()));
  size_t read = std::min<size_t>(header.size(), *length);
  header.resize(*length);
  if (status = Fetch(read, header.data() + read, *length - read); !status.ok()) return status;
  absl::StatusOr<std::vector<PlacedPiece>> pieces = ParseShardHeader(header, *size);
  if (!pieces.ok()) return Refuse(Std(pieces.status().message()));
  hasher_.Add(header);
  hashed_ = header.size();
  pieces_ = *std::move(pieces);
  return absl::OkStatus();
}

absl::Status ShardReader::ReadData(const std::vector<char*>& destinations) {
  for (size_t i = 0; i < pieces_.size(); ++i) {
    uint64_t begin = pieces_[i].object_offset;
    absl::Status status = HashOn(begin, begin + pieces_[i].bytes, destinations[i]);
    if (!status.ok()) return status;
  }
  scratch_.reset();
  return CheckHash();
}

absl::Status ShardReader::Refuse(std::string_view why) {
  absl::Status status = HashOn(hashed_, expected_.bytes, nullptr);
  if (status.ok()) status = CheckHash();
  if (!status.ok()) return status;
  return absl::DataLossError(Cat(Called(), ": ", why));
}

absl::Status ShardReader::HashOn(uint64_t from, uint64_t to, char* destination) {
  if (!destination && !scratch_) scratch_ = std::make_unique_for_overwrite<char[]>(kReadBytes);
  while (from < to) {
    uint64_t bytes = std::min(kReadBytes, to - from);
    char* at = destination ? destination : scratch_.get();
    if (absl::Status status = Fetch(from, at, bytes); !status.ok()) return status;
    hasher_.Add({at, bytes});
    from += bytes;
    if (destination) destination += bytes;
  }
  hashed_ = to;
  return absl::OkStatus();
}

absl::Status ShardReader::CheckHash() const {
  std::string found = hasher_.Hex();
  if (found == expected_.hash) return absl::OkStatus();
  return absl::DataLossError(
      Cat(Called(), " is corrupt: found hash ", found, ", expected ", expected_.hash));
}

}  // namespace coxswain::trainer::blob
