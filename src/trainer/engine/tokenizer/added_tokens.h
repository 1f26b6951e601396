// Tokens that are found in a text before anything else, such as <|endoftext|>.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/engine/tokenizer/tokenizer.h"

namespace coxswain::trainer::tokenizer {

inline constexpr char kEndOfTextName[] = "<|endoftext|>";

struct AddedToken {
  TokenId id = 0;
  std::string content;
  bool normalized = false;  // looked for after those that are not
  bool special = false;
};

// Immutable.
class AddedTokens {
 public:
  AddedTokens() = default;
  explicit AddedTokens(std::vector<AddedToken> tokens);

  // Cuts the text at the tokens in it: the leftmost, and of those that begin there the longest. The
  // pieces come in order, each with the token it is, or none.
  using Piece = std::function<bool(std::string_view text, const AddedToken* token)>;
  // False: `piece` said so, and was not called again.
  bool Cut(std::string_view text, const Piece& piece) const;
  const std::vector<AddedToken>& tokens() const { return tokens_; }

 private:
  bool Cut(std::string_view text, bool normalized, const Piece& piece) const;
  const AddedToken* At(std::string_view text, bool normalized) const;

  std::vector<AddedToken> tokens_;             // longer ones first
  std::vector<const AddedToken*> first_[256];  // by first byte, in that order
};

}  // namespace coxswain::trainer::tokenizer
