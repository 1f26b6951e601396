// A small tokenizer.json, in the shapes that GPT-2 and Llama 3 have.
#pragma once

#include <string>
#include <vector>

#include "trainer/engine/tokenizer/byte_alphabet.h"
#include "trainer/engine/tokenizer/tokenizer_file.h"

namespace coxswain::trainer::tokenizer {

inline const char kLlama3Words[] =
    R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":)"
    R"("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|)"
    R"( ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},"behavior":"Isolated",)"
    R"("invert":false},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,)"
    R"("use_regex":false}]})";

// All bytes, then what the merges make of them; <|endoftext|> is the last token.
inline TokenizerFile SmallFile() {
  TokenizerFile file;
  for (int byte = 0; byte < 256; ++byte) file.tokens.emplace_back(1, static_cast<char>(byte));
  auto merge = [&](TokenId left, TokenId right) {
    file.merges.emplace_back(left, right);
    file.tokens.push_back(file.tokens[left] + file.tokens[right]);
    return static_cast<TokenId>(file.tokens.size() - 1);
  };
  TokenId he = merge('h', 'e'), ll = merge('l', 'l');
  TokenId hell = merge(he, ll);
  merge(hell, 'o');
  TokenId space_h = merge(' ', 'h');
  merge(space_h, 'e');
  merge(' ', ' ');
  merge(0xc3, 0xa9);  // é
  file.added.push_back({static_cast<TokenId>(file.tokens.size()), kEndOfTextName, false, true});
  file.gpt2_words = true;
  return file;
}

}  // namespace coxswain::trainer::tokenizer
