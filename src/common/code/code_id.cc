#include "common/code/code_id.h"

#include <absl/strings/escaping.h>
#include <openssl/sha.h>

#include <algorithm>

namespace coxswain::code {

bool IsCodeId(std::string_view text) {
  if (!text.starts_with(kIdPrefix)) return false;
  text.remove_prefix(kIdPrefix.size());
  auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return text.size() == 2 * SHA256_DIGEST_LENGTH && std::all_of(text.begin(), text.end(), is_digit);
}

std::string CodeIdOf(std::string_view archive) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(archive.data()), archive.size(), digest);
  return std::string(kIdPrefix) +
         absl::BytesToHexString({reinterpret_cast<const char*>(digest), SHA256_DIGEST_LENGTH});
}

}  // namespace coxswain::code
