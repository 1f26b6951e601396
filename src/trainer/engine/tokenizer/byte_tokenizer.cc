#include "trainer/engine/tokenizer/byte_tokenizer.h"

#include "trainer/engine/tokenizer/byte_alphabet.h"
#include "trainer/engine/tokenizer/tokenizer_file.h"

namespace coxswain::trainer::tokenizer {
namespace {

constexpr TokenId kEndOfText = 256;

class ByteEncoder : public Encoder {
 public:
  absl::Status Encode(std::string_view text, std::vector<TokenId>* tokens) override {
    tokens->reserve(tokens->size() + text.size());
    for (char c : text) tokens->push_back(static_cast<uint8_t>(c));
    return absl::OkStatus();
  }
};

class ByteTokenizer : public Tokenizer {
 public:
  explicit ByteTokenizer(bool with_end) : with_end_(with_end) {}
  int64_t vocabulary() const override { return with_end_ ? 257 : 256; }
  std::optional<TokenId> end_of_text() const override {
    return with_end_ ? std::optional(kEndOfText) : std::nullopt;
  }
  std::unique_ptr<Encoder> MakeEncoder() const override { return std::make_unique<ByteEncoder>(); }
  std::string Decode(std::span<const TokenId> tokens) const override {
    std::string text;
    for (TokenId token : tokens) {
      if (token < 256) text.push_back(static_cast<char>(token));
    }
    return text;
  }
  std::string Json() const override;

 private:
  const bool with_end_;
};

// A BPE without merges is a tokenizer of bytes.
std::string ByteTokenizer::Json() const {
  TokenizerFile file;
  for (int byte = 0; byte < 256; ++byte) {
    file.tokens.push_back(std::string(1, static_cast<char>(byte)));
  }
  if (with_end_) file.added.push_back({kEndOfText, kEndOfTextName, false, true});
  return WriteTokenizerFile(file);
}

}  // namespace

std::unique_ptr<Tokenizer> MakeByteTokenizer(bool with_end_of_text) {
  return std::make_unique<ByteTokenizer>(with_end_of_text);
}

}  // namespace coxswain::trainer::tokenizer
