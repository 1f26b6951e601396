#include "trainer/blob/hasher.h"

#include <xxhash.h>

#include <cinttypes>
#include <cstdio>

namespace coxswain::trainer::blob {
namespace {

std::string ToHex(XXH64_hash_t hash) {
  char text[17];
  snprintf(text, sizeof text, "%016" PRIx64, static_cast<uint64_t>(hash));
  return text;
}

}  // namespace

void Hasher::Free::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }

Hasher::Hasher() : state_(XXH3_createState()) { XXH3_64bits_reset(state_.get()); }

void Hasher::Add(std::string_view bytes) {
  XXH3_64bits_update(state_.get(), bytes.data(), bytes.size());
}

std::string Hasher::Hex() const { return ToHex(XXH3_64bits_digest(state_.get())); }

std::string HashHex(std::string_view bytes) {
  return ToHex(XXH3_64bits(bytes.data(), bytes.size()));
}

}  // namespace coxswain::trainer::blob
