#include "trainer/engine/tokenizer/byte_alphabet.h"

#include <array>
#include <cstdint>

namespace coxswain::trainer::tokenizer {
namespace {

struct Alphabet {
  std::array<uint16_t, 256> character;  // of a byte
  std::array<int16_t, 512> byte;        // of a character; -1: none
  Alphabet() {
    byte.fill(-1);
    uint16_t next = 256;
    for (uint16_t b = 0; b < 256; ++b) {
      const bool printable = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
      character[b] = printable ? b : next++;
      byte[character[b]] = static_cast<int16_t>(b);
    }
  }
};

const Alphabet& TheAlphabet() {
  static const Alphabet alphabet;
  return alphabet;
}

}  // namespace

std::string SpellBytes(std::string_view bytes) {
  std::string out;
  for (char c : bytes) {
    const uint16_t character = TheAlphabet().character[static_cast<uint8_t>(c)];
    if (character < 0x80) {
      out.push_back(static_cast<char>(character));
    } else {
      out.push_back(static_cast<char>(0xc0 | character >> 6));
      out.push_back(static_cast<char>(0x80 | (character & 0x3f)));
    }
  }
  return out;
}

std::optional<std::string> BytesOfSpelling(std::string_view spelling) {
  std::string out;
  for (size_t i = 0; i < spelling.size(); ++i) {
    uint32_t character = static_cast<uint8_t>(spelling[i]);
    if (character >= 0x80) {
      const bool two = character >> 5 == 6 && i + 1 < spelling.size();
      if (!two || static_cast<uint8_t>(spelling[i + 1]) >> 6 != 2) return std::nullopt;
      character = (character & 0x1f) << 6 | (static_cast<uint8_t>(spelling[++i]) & 0x3f);
    }
    if (character >= 512 || TheAlphabet().byte[character] < 0) return std::nullopt;
    out.push_back(static_cast<char>(TheAlphabet().byte[character]));
  }
  return out;
}

}  // namespace coxswain::trainer::tokenizer
