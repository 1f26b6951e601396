#include "trainer/engine/tokenizer/added_tokens.h"

#include <algorithm>
#include <cstdint>

namespace coxswain::trainer::tokenizer {

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::erase_if(tokens_, [](const AddedToken& token) { return token.content.empty(); });
  std::stable_sort(tokens_.begin(), tokens_.end(), [](const AddedToken& a, const AddedToken& b) {
    return a.content.size() > b.content.size();
  });
  for (const AddedToken& token : tokens_) {
    first_[static_cast<uint8_t>(token.content[0])].push_back(&token);
  }
}

const AddedToken* AddedTokens::At(std::string_view text, bool normalized) const {
  for (const AddedToken* token : first_[static_cast<uint8_t>(text[0])]) {
    if (token->normalized == normalized && text.starts_with(token->content)) return token;
  }
  return nullptr;
}

bool AddedTokens::Cut(std::string_view text, const Piece& piece) const {
  return Cut(text, false, [&](std::string_view part, const AddedToken* token) {
    return token != nullptr ? piece(part, token) : Cut(part, true, piece);
  });
}

bool AddedTokens::Cut(std::string_view text, bool normalized, const Piece& piece) const {
  size_t begin = 0;
  for (size_t i = 0; i < text.size() && !tokens_.empty();) {
    const AddedToken* token = At(text.substr(i), normalized);
    if (token == nullptr) {
      ++i;
      continue;
    }
    if (i > begin && !piece(text.substr(begin, i - begin), nullptr)) return false;
    const size_t length = token->content.size();
    if (!piece(text.substr(i, length), token)) return false;
    begin = i += length;
  }
  return begin == text.size() || piece(text.substr(begin), nullptr);
}

}  // namespace coxswain::trainer::tokenizer
