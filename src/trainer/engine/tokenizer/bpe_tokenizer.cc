#include "trainer/engine/tokenizer/bpe_tokenizer.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "trainer/engine/tokenizer/merge_table.h"
#include "trainer/engine/tokenizer/utf8.h"

namespace coxswain::trainer::tokenizer {
namespace {

constexpr size_t kLongestRemembered = 64;    // bytes of a word
constexpr size_t kMostRemembered = 1 << 17;  // words

absl::string_view Key(std::string_view word) { return {word.data(), word.size()}; }

class BpeTokenizer : public Tokenizer {
 public:
  BpeTokenizer(BpeSettings settings, MergeTable merges)
      : settings_(std::move(settings)),
        added_(std::move(settings_.added)),
        merges_(std::move(merges)) {
    for (const auto& [bytes, id] : settings_.vocabulary) {
      words_[bytes] = id;
      Place(id, bytes);
    }
    for (const AddedToken& token : added_.tokens()) {
      Place(token.id, token.content);
      if (token.content == settings_.end_of_text) end_of_text_ = token.id;
    }
    bytes_.resize(std::max(bytes_.size(), static_cast<size_t>(settings_.least_vocabulary)));
  }

  int64_t vocabulary() const override { return static_cast<int64_t>(bytes_.size()); }
  std::optional<TokenId> end_of_text() const override { return end_of_text_; }
  std::unique_ptr<Encoder> MakeEncoder() const override;
  std::string Decode(std::span<const TokenId> tokens) const override {
    std::string text;
    for (TokenId token : tokens) {
      if (token < bytes_.size()) text += bytes_[token];
    }
    return text;
  }
  std::string Json() const override { return settings_.json; }

  const BpeSettings& settings() const { return settings_; }
  const AddedTokens& added() const { return added_; }
  void AppendWord(std::string_view word, std::vector<TokenId>* tokens) const {
    if (settings_.whole_words) {
      if (auto found = words_.find(Key(word)); found != words_.end()) {
        tokens->push_back(found->second);
        return;
      }
    }
    merges_.Apply(word, tokens);
  }

 private:
  void Place(TokenId id, const std::string& bytes) {
    if (id >= bytes_.size()) bytes_.resize(id + size_t{1});
    bytes_[id] = bytes;
  }

  const BpeSettings settings_;
  const AddedTokens added_;
  const MergeTable merges_;
  absl::flat_hash_map<std::string, TokenId> words_;
  std::vector<std::string> bytes_;  // by token
  std::optional<TokenId> end_of_text_;
};

class BpeEncoder : public Encoder {
 public:
  explicit BpeEncoder(const BpeTokenizer& tokenizer) : tokenizer_(tokenizer) {}

  absl::Status Encode(std::string_view text, std::vector<TokenId>* tokens) override {
    if (size_t bad = FindBadUtf8(text); bad != std::string_view::npos) {
      return absl::InvalidArgumentError("the byte at offset " + std::to_string(bad) +
                                        " is not UTF-8");
    }
    absl::Status status;
    tokenizer_.added().Cut(text, [&](std::string_view piece, const AddedToken* token) {
      if (token != nullptr) {
        tokens->push_back(token->id);
      } else {
        status = Split(piece, 0, tokens);
      }
      return status.ok();
    });
    return status;
  }

 private:
  absl::Status Split(std::string_view piece, size_t stage, std::vector<TokenId>* tokens) {
    const BpeSettings& settings = tokenizer_.settings();
    std::string longer;
    if (stage + 1 == settings.splitters.size() && settings.space_first && piece[0] != ' ') {
      longer = " " + std::string(piece);
      piece = longer;
    }
    if (stage == settings.splitters.size()) {
      AppendWord(piece, tokens);
      return absl::OkStatus();
    }
    if (settings.splitters[stage] == nullptr) return Split(piece, stage + 1, tokens);
    return settings.splitters[stage]->Split(
        piece, [&](std::string_view word) { return Split(word, stage + 1, tokens); });
  }

  void AppendWord(std::string_view word, std::vector<TokenId>* tokens) {
    if (word.size() > kLongestRemembered) return tokenizer_.AppendWord(word, tokens);
    auto found = known_.find(Key(word));
    if (found == known_.end()) {
      if (known_.size() >= kMostRemembered) known_.clear();
      std::vector<TokenId> of_word;
      tokenizer_.AppendWord(word, &of_word);
      found = known_.emplace(std::string(word), std::move(of_word)).first;
    }
    tokens->insert(tokens->end(), found->second.begin(), found->second.end());
  }

  const BpeTokenizer& tokenizer_;
  absl::flat_hash_map<std::string, std::vector<TokenId>> known_;
};

std::unique_ptr<Encoder> BpeTokenizer::MakeEncoder() const {
  return std::make_unique<BpeEncoder>(*this);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeBpeTokenizer(BpeSettings settings) {
  absl::flat_hash_map<std::string, TokenId> ids;
  absl::flat_hash_map<TokenId, std::string> bytes;
  for (const auto& [token, id] : settings.vocabulary) {
    ids[token] = id;
    bytes[id] = token;
  }
  std::vector<TokenId> of_byte;
  for (int byte = 0; byte < 256; ++byte) {
    auto found = ids.find(std::string(1, static_cast<char>(byte)));
    if (found == ids.end()) {
      return absl::InvalidArgumentError("its vocabulary has no token for the byte " +
                                        std::to_string(byte) +
                                        "; expected a byte-level BPE, which has all 256");
    }
    of_byte.push_back(found->second);
  }
  MergeTable merges(std::move(of_byte));
  for (const auto& [left, right] : settings.merges) {
    auto a = bytes.find(left), b = bytes.find(right);
    auto merged =
        a == bytes.end() || b == bytes.end() ? ids.end() : ids.find(a->second + b->second);
    if (merged == ids.end()) {
      return absl::InvalidArgumentError("the tokens " + std::to_string(left) + " and " +
                                        std::to_string(right) +
                                        " are merged into one that its vocabulary lacks");
    }
    merges.Add(left, right, merged->second);
  }
  return std::make_unique<BpeTokenizer>(std::move(settings), std::move(merges));
}

}  // namespace coxswain::trainer::tokenizer
