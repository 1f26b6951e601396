// Windows of tokens: what goes in are `sequence` tokens, the label of each is the token after it.
// Windows follow each other end to end, so an epoch predicts every token once (but the first, which
// nothing comes before); the last one is filled up, and has no labels there.
#pragma once

#include <cstdint>
#include <memory>

#include "trainer/engine/data/dataset.h"
#include "trainer/engine/data/token_store.h"
#include "trainer/engine/data/window_order.h"

namespace coxswain::trainer::data {

struct TokenSettings {
  int64_t sequence = 0;
  uint64_t buffer_bytes = 0;  // each reader holds at most this of what is not in memory
  int64_t end_of_text = -1;   // token; -1: none
};

class TokenDataset : public Dataset {
 public:
  // Tokens [begin, end) of the store: at least two.
  TokenDataset(std::shared_ptr<const TokenStore> store, int64_t begin, int64_t end,
               const TokenSettings& settings);

  int64_t size() const override { return windows_; }
  const SampleShape& shape() const override { return shape_; }
  Description Describe() const override;
  std::unique_ptr<SampleReader> MakeReader(const ReaderSettings& settings) const override;

  const WindowBlocks& blocks() const { return blocks_; }
  bool in_memory() const { return store_->mapped(); }
  // Labels that the last window lacks.
  int64_t missing_labels() const { return windows_ * shape_.sequence - (end_ - begin_ - 1); }
  // The tokens of windows [first, last), and the one after them, as far as there are any.
  absl::Status ReadWindows(int64_t first, int64_t last, std::vector<int64_t>* tokens) const;

 private:
  const std::shared_ptr<const TokenStore> store_;
  const int64_t begin_, end_, end_of_text_;
  SampleShape shape_;
  int64_t windows_ = 0;
  WindowBlocks blocks_;
};

}  // namespace coxswain::trainer::data
