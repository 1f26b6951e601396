// Reads one shard back: size, header, then its data in order, hashing all of it on the way.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "common/protocol/trainer_messages.h"
#include "trainer/blob/blob_store.h"
#include "trainer/blob/hasher.h"
#include "trainer/blob/shard.h"

namespace coxswain::trainer::blob {

// Owner: one thread at a time. Errors as ReadCheckpoint's.
class ShardReader {
 public:
  ShardReader(BlobStore& store, Patience& patience, protocol::Shard expected);

  // First: checks the size and reads the header.
  absl::Status ReadHeader();
  const std::vector<PlacedPiece>& pieces() const { return pieces_; }
  // Then: reads the data, piece i to destinations[i] (null: only hashed), and checks the hash.
  absl::Status ReadData(const std::vector<char*>& destinations);
  // Instead of ReadData, when something about the header cannot be right: DATA_LOSS that says the
  // hash is wrong if it is, else `why`.
  absl::Status Refuse(std::string_view why);

 private:
  absl::Status Fetch(uint64_t offset, char* to, uint64_t bytes);
  absl::Status HashOn(uint64_t from, uint64_t to, char* destination);
  absl::Status CheckHash() const;
  std::string Called() const;

  BlobStore& store_;
  Patience& patience_;
  const protocol::Shard expected_;
  Hasher hasher_;
  uint64_t hashed_ = 0;
  std::vector<PlacedPiece> pieces_;
  std::unique_ptr<char[]> scratch_;
};

}  // namespace coxswain::trainer::blob
