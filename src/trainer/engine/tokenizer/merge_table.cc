#include "trainer/engine/tokenizer/merge_table.h"

#include <algorithm>

namespace coxswain::trainer::tokenizer {

void MergeTable::Add(TokenId left, TokenId right, TokenId merged) {
  merges_[Key(left, right)] = {next_rank_++, merged};
}

void MergeTable::Offer(const std::vector<Symbol>& symbols, int32_t at,
                       std::vector<Candidate>* heap) const {
  if (at < 0) return;
  const Symbol& left = symbols[static_cast<size_t>(at)];
  if (left.next < 0) return;
  const TokenId right = symbols[static_cast<size_t>(left.next)].token;
  auto found = merges_.find(Key(left.token, right));
  if (found == merges_.end()) return;
  heap->push_back({found->second.rank, at, left.token, right, found->second.merged});
  std::push_heap(heap->begin(), heap->end());
}

void MergeTable::Apply(std::string_view word, std::vector<TokenId>* tokens) const {
  const auto size = static_cast<int32_t>(word.size());
  std::vector<Symbol> symbols(word.size());
  for (int32_t i = 0; i < size; ++i) {
    symbols[static_cast<size_t>(i)] = {of_byte_[static_cast<uint8_t>(word[static_cast<size_t>(i)])],
                                       i - 1, i + 1 < size ? i + 1 : -1};
  }
  std::vector<Candidate> heap;
  for (int32_t i = 0; i < size; ++i) Offer(symbols, i, &heap);
  constexpr TokenId kGone = UINT32_MAX;  // of a symbol that its left neighbour has taken in
  while (!heap.empty()) {
    const Candidate best = heap.front();
    std::pop_heap(heap.begin(), heap.end());
    heap.pop_back();
    Symbol& left = symbols[static_cast<size_t>(best.at)];
    if (left.token != best.left || left.next < 0) continue;
    Symbol& right = symbols[static_cast<size_t>(left.next)];
    if (right.token != best.right) continue;
    left.token = best.merged;
    right.token = kGone;
    left.next = right.next;
    if (left.next >= 0) symbols[static_cast<size_t>(left.next)].previous = best.at;
    Offer(symbols, left.previous, &heap);
    Offer(symbols, best.at, &heap);
  }
  for (int32_t i = size > 0 ? 0 : -1; i >= 0; i = symbols[static_cast<size_t>(i)].next) {
    tokens->push_back(symbols[static_cast<size_t>(i)].token);
  }
}

}  // namespace coxswain::trainer::tokenizer
