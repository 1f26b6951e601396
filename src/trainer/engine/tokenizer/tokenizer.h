// Text to tokens, and tokens to text.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace coxswain::trainer::tokenizer {

using TokenId = uint32_t;

// Encodes one text after another. For one thread: it remembers words.
class Encoder {
 public:
  virtual ~Encoder() = default;
  // Appends the text's tokens, without any that mark a beginning or an end. INVALID_ARGUMENT: not
  // UTF-8, with the offset of the first wrong byte; INTERNAL: the pattern cannot be matched.
  virtual absl::Status Encode(std::string_view text, std::vector<TokenId>* tokens) = 0;
};

// Immutable, for any thread.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  // Tokens are below it.
  virtual int64_t vocabulary() const = 0;
  // The token between documents.
  virtual std::optional<TokenId> end_of_text() const = 0;
  // The tokenizer must outlive it.
  virtual std::unique_ptr<Encoder> MakeEncoder() const = 0;
  // The bytes that tokens stand for; nothing for a number that is no token.
  virtual std::string Decode(std::span<const TokenId> tokens) const = 0;
  // As Hugging Face's tokenizer.json.
  virtual std::string Json() const = 0;
};

}  // namespace coxswain::trainer::tokenizer
