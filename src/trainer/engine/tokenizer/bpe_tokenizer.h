// Byte-level BPE: added tokens, words by patterns, then merges within a word (Sennrich et al. 2016;
// on bytes: GPT-2).
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/engine/tokenizer/added_tokens.h"
#include "trainer/engine/tokenizer/splitter.h"
#include "trainer/engine/tokenizer/tokenizer.h"

namespace coxswain::trainer::tokenizer {

struct BpeSettings {
  // Bytes of each token of the model. All 256 single bytes have to be there.
  std::vector<std::pair<std::string, TokenId>> vocabulary;
  std::vector<std::pair<TokenId, TokenId>> merges;  // in the order in which they were learnt
  std::vector<AddedToken> added;
  // Applied one after another to what the one before gave. Null: leaves it as it is.
  std::vector<std::unique_ptr<Splitter>> splitters;
  bool space_first = false;  // a piece that begins with no space gets one, before the last splitter
  bool whole_words = false;  // a word that is a token is not taken apart (ignore_merges)
  int64_t least_vocabulary = 0;  // tokens are below it, known here or not
  std::string end_of_text;       // name of the added token between documents; empty: none
  std::string json;              // what it was read from
};

// INVALID_ARGUMENT: a byte without a token, a merge of or into something that is none.
absl::StatusOr<std::unique_ptr<Tokenizer>> MakeBpeTokenizer(BpeSettings settings);

}  // namespace coxswain::trainer::tokenizer
