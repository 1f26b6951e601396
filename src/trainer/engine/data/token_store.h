// The tokens of a job, end to end over all its files, wherever their bytes are.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace coxswain::trainer::data {

// Bytes that can be read anywhere. Immutable, for any thread.
class ByteRanges {
 public:
  virtual ~ByteRanges() = default;
  // Null, or where all of them are in memory (or mapped there).
  virtual const char* mapped() const { return nullptr; }
  // Only for those that are not mapped. UNAVAILABLE and so on: the store.
  virtual absl::Status Read(uint64_t offset, char* to, uint64_t bytes) const = 0;
};

// Bytes in memory.
class HeldBytes : public ByteRanges {
 public:
  explicit HeldBytes(std::string bytes) : bytes_(std::move(bytes)) {}
  const char* mapped() const override { return bytes_.data(); }
  absl::Status Read(uint64_t offset, char* to, uint64_t bytes) const override;

 private:
  const std::string bytes_;
};

// Little-endian numbers of `width` bytes (2 or 4), from `offset` on.
struct TokenPart {
  std::string name;  // for messages: the file
  std::shared_ptr<const ByteRanges> bytes;
  uint64_t offset = 0;
  int64_t count = 0;
  int width = 2;
};

class TokenStore {
 public:
  TokenStore(std::vector<TokenPart> parts, int64_t vocabulary);

  int64_t size() const { return starts_.back(); }
  int64_t vocabulary() const { return vocabulary_; }
  // Whether every token is in memory, so that it costs nothing to jump.
  bool mapped() const { return mapped_; }
  uint64_t bytes() const { return bytes_; }

  // Tokens [begin, end). FAILED_PRECONDITION: one is not below the vocabulary; names the file and
  // the offset.
  absl::Status Read(int64_t begin, int64_t end, int64_t* to) const;

 private:
  absl::Status ReadPart(const TokenPart& part, int64_t begin, int64_t end, int64_t* to) const;

  const std::vector<TokenPart> parts_;
  const int64_t vocabulary_;
  std::vector<int64_t> starts_;  // of each part, and the end
  bool mapped_ = true;
  uint64_t bytes_ = 0;
};

}  // namespace coxswain::trainer::data
