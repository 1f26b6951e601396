// How a tokenizer.json of a byte-level BPE spells bytes: printable ones as themselves, the others
// as the characters from U+0100 on (bytes_to_unicode of GPT-2's encoder.py).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace coxswain::trainer::tokenizer {

std::string SpellBytes(std::string_view bytes);
// The bytes that a spelling stands for; nothing if it holds another character, or is not UTF-8.
std::optional<std::string> BytesOfSpelling(std::string_view spelling);

}  // namespace coxswain::trainer::tokenizer
