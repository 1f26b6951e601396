#include "trainer/engine/tokenizer/bpe_trainer.h"

#include <algorithm>
#include <map>
#include <queue>
#include <set>

#include "absl/strings/string_view.h"
#include "common/base/check.h"
#include "trainer/engine/tokenizer/splitter.h"
#include "trainer/engine/tokenizer/utf8.h"

namespace coxswain::trainer::tokenizer {
namespace {

using Pair = std::pair<TokenId, TokenId>;

struct Word {
  std::vector<TokenId> tokens;
  int64_t count = 0;
};

struct Candidate {
  int64_t count = 0;
  Pair pair;
  bool operator<(const Candidate& other) const {
    return count != other.count ? count < other.count : pair > other.pair;
  }
};

class Learner {
 public:
  explicit Learner(std::vector<Word> words) : words_(std::move(words)) {
    for (size_t i = 0; i < words_.size(); ++i) {
      const std::vector<TokenId>& tokens = words_[i].tokens;
      for (size_t j = 0; j + 1 < tokens.size(); ++j) {
        Change({tokens[j], tokens[j + 1]}, words_[i].count, i);
      }
    }
    changed_.clear();
    for (const auto& [pair, count] : counts_) queue_.push({count, pair});
  }

  // The next pair to be merged; false: none is there twice.
  bool Best(Pair* pair) {
    while (!queue_.empty()) {
      const Candidate top = queue_.top();
      queue_.pop();
      const int64_t count = counts_[top.pair];
      if (count != top.count) continue;  // a newer entry tells
      if (count < 2) return false;
      *pair = top.pair;
      return true;
    }
    return false;
  }

  void Merge(Pair pair, TokenId merged) {
    const std::set<size_t> where = std::move(where_[pair]);
    where_.erase(pair);
    for (size_t i : where) MergeWord(i, pair, merged);
    for (const Pair& each : changed_) {
      if (counts_[each] > 0) queue_.push({counts_[each], each});
    }
    changed_.clear();
  }

 private:
  void Change(Pair pair, int64_t by, size_t word) {
    counts_[pair] += by;
    changed_.insert(pair);
    if (by > 0) where_[pair].insert(word);
  }

  void MergeWord(size_t index, Pair pair, TokenId merged) {
    Word& word = words_[index];
    std::vector<TokenId> next;
    for (size_t j = 0; j < word.tokens.size(); ++j) {
      const bool here = j + 1 < word.tokens.size() && word.tokens[j] == pair.first &&
                        word.tokens[j + 1] == pair.second;
      next.push_back(here ? merged : word.tokens[j]);
      if (here) ++j;
    }
    if (next.size() == word.tokens.size()) return;
    for (size_t j = 0; j + 1 < word.tokens.size(); ++j) {
      Change({word.tokens[j], word.tokens[j + 1]}, -word.count, index);
    }
    word.tokens = std::move(next);
    for (size_t j = 0; j + 1 < word.tokens.size(); ++j) {
      Change({word.tokens[j], word.tokens[j + 1]}, word.count, index);
    }
  }

  std::vector<Word> words_;
  absl::flat_hash_map<Pair, int64_t> counts_;
  absl::flat_hash_map<Pair, std::set<size_t>> where_;
  std::set<Pair> changed_;
  std::priority_queue<Candidate> queue_;
};

}  // namespace

absl::Status BpeTrainer::Read(std::string_view text) {
  if (size_t bad = FindBadUtf8(text); bad != std::string_view::npos) {
    return absl::InvalidArgumentError("the byte at offset " + std::to_string(bad) +
                                      " is not UTF-8");
  }
  static const auto splitter = Splitter::Make(kGpt2Pattern);
  CHECK(splitter.ok()) << splitter.status().ToString();
  return (*splitter)->Split(text, [this](std::string_view word) {
    ++words_[absl::string_view(word.data(), word.size())];
    return absl::OkStatus();
  });
}

TokenizerFile BpeTrainer::Learn(int64_t vocabulary, bool with_end_of_text) const {
  // In an order of their own, which no hash decides.
  std::vector<Word> words;
  const std::map<std::string, int64_t> sorted(words_.begin(), words_.end());
  for (const auto& [text, count] : sorted) {
    Word word{{}, count};
    for (char c : text) word.tokens.push_back(static_cast<uint8_t>(c));
    words.push_back(std::move(word));
  }
  TokenizerFile file;
  file.gpt2_words = true;
  for (int byte = 0; byte < 256; ++byte) file.tokens.emplace_back(1, static_cast<char>(byte));
  Learner learner(std::move(words));
  Pair pair;
  const auto most = static_cast<size_t>(vocabulary - (with_end_of_text ? 1 : 0));
  // Two merges may make the same bytes: then there is one token of two merges.
  std::map<std::string, TokenId> ids;
  while (file.tokens.size() < most && learner.Best(&pair)) {
    std::string bytes = file.tokens[pair.first] + file.tokens[pair.second];
    auto [found, fresh] = ids.emplace(bytes, static_cast<TokenId>(file.tokens.size()));
    if (fresh) file.tokens.push_back(std::move(bytes));
    file.merges.push_back(pair);
    learner.Merge(pair, found->second);
  }
  if (with_end_of_text) {
    file.added.push_back({static_cast<TokenId>(file.tokens.size()), kEndOfTextName, false, true});
  }
  return file;
}

}  // namespace coxswain::trainer::tokenizer
