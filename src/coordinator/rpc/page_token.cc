#include "coordinator/rpc/page_token.h"

#include "common/base/rng.h"

namespace coxswain::coordinator::rpc {
namespace {

constexpr char kHex[] = "0123456789abcdef";

// A check against mix-ups, not against forgery: a position gives nothing that the call would not.
std::string Digest(const std::string& position, const std::string& scope) {
  uint64_t hash = base::Mix64(position.size());
  for (const std::string* text : {&position, &scope}) {
    for (unsigned char c : *text) hash = base::Mix64(hash ^ c);
  }
  std::string out;
  for (int shift = 60; shift >= 0; shift -= 4) out += kHex[(hash >> shift) & 15];
  return out;
}

}  // namespace

std::string MakePageToken(const std::string& position, const std::string& scope) {
  std::string token = Digest(position, scope);
  for (unsigned char c : position) {
    token += kHex[c >> 4];
    token += kHex[c & 15];
  }
  return token;
}

std::optional<std::string> ReadPageToken(const std::string& token, const std::string& scope) {
  constexpr size_t kDigest = 16;
  if (token.size() < kDigest || token.size() % 2 != 0 || token.size() > 2048 ||
      token.find_first_not_of(kHex) != std::string::npos) {
    return std::nullopt;
  }
  auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string position;
  for (size_t i = kDigest; i < token.size(); i += 2) {
    position += static_cast<char>(digit(token[i]) << 4 | digit(token[i + 1]));
  }
  if (token.compare(0, kDigest, Digest(position, scope)) != 0) return std::nullopt;
  return position;
}

}  // namespace coxswain::coordinator::rpc
