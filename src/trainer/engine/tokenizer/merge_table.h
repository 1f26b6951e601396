// The merges of a BPE: two neighbouring tokens become one, the earliest learnt merge first.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "trainer/engine/tokenizer/tokenizer.h"

namespace coxswain::trainer::tokenizer {

class MergeTable {
 public:
  // `of_byte[b]`: the token of a single byte.
  explicit MergeTable(std::vector<TokenId> of_byte) : of_byte_(std::move(of_byte)) {}
  // In the order in which they were learnt; of two of a pair the later one counts.
  void Add(TokenId left, TokenId right, TokenId merged);
  // Appends the tokens of one word.
  void Apply(std::string_view word, std::vector<TokenId>* tokens) const;

 private:
  struct Merge {
    uint32_t rank = 0;
    TokenId merged = 0;
  };
  struct Symbol {
    TokenId token = 0;
    int32_t previous = -1, next = -1;
  };
  struct Candidate {
    uint32_t rank = 0;
    int32_t at = 0;
    TokenId left = 0, right = 0, merged = 0;
    // The first to be merged on top of a heap.
    bool operator<(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : at > other.at;
    }
  };
  static uint64_t Key(TokenId left, TokenId right) { return uint64_t{left} << 32 | right; }
  void Offer(const std::vector<Symbol>& symbols, int32_t at, std::vector<Candidate>* heap) const;

  const std::vector<TokenId> of_byte_;
  absl::flat_hash_map<uint64_t, Merge> merges_;
  uint32_t next_rank_ = 0;
};

}  // namespace coxswain::trainer::tokenizer
