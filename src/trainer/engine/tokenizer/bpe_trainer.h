// Learns the merges of a byte-level BPE from texts: again and again the pair of neighbours that
// occurs most often within the words becomes a token (Sennrich et al. 2016), the one of the smaller
// tokens where two are as frequent. The same texts give the same tokenizer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "trainer/engine/tokenizer/tokenizer_file.h"

namespace coxswain::trainer::tokenizer {

class BpeTrainer {
 public:
  // Counts a text's words, as GPT-2 cuts them. INVALID_ARGUMENT: not UTF-8.
  absl::Status Read(std::string_view text);
  // So many tokens with all bytes (256) and, if wanted, <|endoftext|>; fewer if no pair is there
  // twice any more.
  TokenizerFile Learn(int64_t vocabulary, bool with_end_of_text) const;

 private:
  absl::flat_hash_map<std::string, int64_t> words_;
};

}  // namespace coxswain::trainer::tokenizer
