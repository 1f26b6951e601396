#include "trainer/engine/data/token_store.h"

#include <algorithm>
#include <cstring>

namespace coxswain::trainer::data {
namespace {

// Widens `count` numbers; the index of the first that is not below `vocabulary`, or -1.
template <class Number>
int64_t Widen(const char* from, int64_t count, int64_t vocabulary, int64_t* to) {
  int64_t highest = 0;
  for (int64_t i = 0; i < count; ++i) {
    Number number;
    std::memcpy(&number, from + i * static_cast<int64_t>(sizeof(Number)), sizeof number);
    to[i] = number;
    highest = std::max(highest, to[i]);
  }
  if (highest < vocabulary) return -1;
  return std::find_if(to, to + count, [&](int64_t t) { return t >= vocabulary; }) - to;
}

}  // namespace

absl::Status HeldBytes::Read(uint64_t offset, char* to, uint64_t bytes) const {
  std::memcpy(to, bytes_.data() + offset, bytes);
  return absl::OkStatus();
}

TokenStore::TokenStore(std::vector<TokenPart> parts, int64_t vocabulary)
    : parts_(std::move(parts)), vocabulary_(vocabulary) {
  starts_.push_back(0);
  for (const TokenPart& part : parts_) {
    starts_.push_back(starts_.back() + part.count);
    mapped_ &= part.bytes->mapped() != nullptr;
    bytes_ += static_cast<uint64_t>(part.count * part.width);
  }
}

absl::Status TokenStore::Read(int64_t begin, int64_t end, int64_t* to) const {
  auto part = std::upper_bound(starts_.begin(), starts_.end(), begin) - starts_.begin() - 1;
  for (int64_t at = begin; at < end; ++part) {
    const auto i = static_cast<size_t>(part);
    const int64_t stop = std::min(end, starts_[i + 1]);
    if (stop == at) continue;  // an empty file
    absl::Status read = ReadPart(parts_[i], at - starts_[i], stop - starts_[i], to + (at - begin));
    if (!read.ok()) return read;
    at = stop;
  }
  return absl::OkStatus();
}

absl::Status TokenStore::ReadPart(const TokenPart& part, int64_t begin, int64_t end,
                                  int64_t* to) const {
  const auto width = static_cast<uint64_t>(part.width);
  const uint64_t offset = part.offset + static_cast<uint64_t>(begin) * width;
  const char* bytes = part.bytes->mapped();
  std::string held;
  if (bytes != nullptr) {
    bytes += offset;
  } else {
    held.resize(static_cast<uint64_t>(end - begin) * width);
    absl::Status read = part.bytes->Read(offset, held.data(), held.size());
    if (!read.ok()) return read;
    bytes = held.data();
  }
  const int64_t wrong = part.width == 2 ? Widen<uint16_t>(bytes, end - begin, vocabulary_, to)
                                        : Widen<uint32_t>(bytes, end - begin, vocabulary_, to);
  if (wrong < 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      part.name + ": found the token " + std::to_string(to[wrong]) + " at offset " +
      std::to_string(offset + static_cast<uint64_t>(wrong) * width) + " (token " +
      std::to_string(begin + wrong) + "), expected 0 to " + std::to_string(vocabulary_ - 1) +
      "; is it the vocabulary's size that is wrong, or the type of the numbers?");
}

}  // namespace coxswain::trainer::data
