// Hugging Face's tokenizer.json, as far as byte-level BPE goes.
// https://huggingface.co/docs/tokenizers has its parts.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/engine/tokenizer/added_tokens.h"
#include "trainer/engine/tokenizer/tokenizer.h"

namespace coxswain::trainer::tokenizer {

// `end_of_text`: name of the added token between documents; empty: <|endoftext|>, <|end_of_text|>
// or </s>, whichever comes first in the file.
// INVALID_ARGUMENT: no such file, or one that asks for what is not there (another model, a
// normalizer, ...): says what was found and expected.
absl::StatusOr<std::unique_ptr<Tokenizer>> ReadTokenizerFile(std::string text,
                                                             const std::string& end_of_text);

// What WriteTokenizerFile writes: a token's id is its place.
struct TokenizerFile {
  std::vector<std::string> tokens;                  // their bytes
  std::vector<std::pair<TokenId, TokenId>> merges;  // in the order in which they were learnt
  std::vector<AddedToken> added;
  bool gpt2_words = false;  // words as GPT-2 cuts them; otherwise the text is one
};
std::string WriteTokenizerFile(const TokenizerFile& file);

}  // namespace coxswain::trainer::tokenizer
