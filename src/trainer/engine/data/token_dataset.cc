#include "trainer/engine/data/token_dataset.h"

#include <algorithm>
#include <list>

#include "common/base/check.h"

namespace coxswain::trainer::data {
namespace {

constexpr uint64_t kBlockBytes = 1 << 20;  // read from a store at once

// Blocks that have been read, the latest used first.
class BlockBuffer {
 public:
  explicit BlockBuffer(const TokenDataset& set) : set_(set) {}

  // The window's tokens and the one after them; valid until the next call.
  absl::Status Find(int64_t window, const int64_t** tokens, int64_t* count) {
    const int64_t sequence = set_.shape().sequence, windows = set_.blocks().windows;
    const int64_t block = window / windows;
    auto found = std::find_if(blocks_.begin(), blocks_.end(),
                              [&](const Block& each) { return each.index == block; });
    if (found == blocks_.end()) {
      if (static_cast<int64_t>(blocks_.size()) >= Most()) blocks_.pop_back();
      Block read{block, {}};
      absl::Status status = set_.ReadWindows(
          block * windows, std::min(set_.size(), (block + 1) * windows), &read.tokens);
      if (!status.ok()) return status;
      found = blocks_.insert(blocks_.begin(), std::move(read));
    } else {
      blocks_.splice(blocks_.begin(), blocks_, found);
    }
    const int64_t offset = (window - block * windows) * sequence;
    *tokens = found->tokens.data() + offset;
    *count = std::min(sequence + 1, static_cast<int64_t>(found->tokens.size()) - offset);
    return absl::OkStatus();
  }

 private:
  struct Block {
    int64_t index = 0;
    std::vector<int64_t> tokens;
  };
  int64_t Most() const { return set_.in_memory() ? 1 : set_.blocks().at_a_time; }

  const TokenDataset& set_;
  std::list<Block> blocks_;
};

class TokenReader : public SampleReader {
 public:
  TokenReader(const TokenDataset& set, const ReaderSettings& settings)
      : set_(set), seed_(settings.seed), buffer_(set) {}

  absl::Status Read(int64_t epoch, int64_t begin, int64_t end, Rows& rows) override {
    const int64_t sequence = set_.shape().sequence;
    rows.count = end - begin;
    rows.ids.resize(static_cast<size_t>(rows.count * sequence));
    rows.labels.resize(rows.ids.size());
    Order(epoch);
    for (int64_t i = 0; i < rows.count; ++i) {
      const int64_t place = begin + i;
      const int64_t window = epoch < 0 ? place : order_[static_cast<size_t>(place)];
      absl::Status read =
          Fill(window, rows.ids.data() + i * sequence, rows.labels.data() + i * sequence);
      if (!read.ok()) return read;
    }
    return absl::OkStatus();
  }

  int64_t MissingLabels(int64_t epoch, int64_t begin, int64_t end) override {
    Order(epoch);
    const int64_t place = epoch < 0 ? set_.size() - 1 : last_place_;
    return begin <= place && place < end ? set_.missing_labels() : 0;
  }

 private:
  void Order(int64_t epoch) {
    if (epoch < 0 || epoch == epoch_) return;
    order_ = WindowOrder(seed_, epoch, set_.size(), set_.blocks());
    epoch_ = epoch;
    last_place_ = std::find(order_.begin(), order_.end(), set_.size() - 1) - order_.begin();
  }

  absl::Status Fill(int64_t window, int64_t* ids, int64_t* labels) {
    const int64_t sequence = set_.shape().sequence;
    const int64_t* tokens = nullptr;
    int64_t count = 0;  // one more than have a label
    absl::Status status;
    if (set_.in_memory()) {
      status = set_.ReadWindows(window, window + 1, &window_);
      tokens = window_.data();
      count = static_cast<int64_t>(window_.size());
    } else {
      status = buffer_.Find(window, &tokens, &count);
    }
    if (!status.ok()) return status;
    std::copy(tokens, tokens + count - 1, ids);
    std::copy(tokens + 1, tokens + count, labels);
    std::fill(ids + count - 1, ids + sequence, 0);
    std::fill(labels + count - 1, labels + sequence, kNoLabel);
    return status;
  }

  const TokenDataset& set_;
  const uint64_t seed_;
  BlockBuffer buffer_;
  std::vector<int64_t> window_;
  int64_t epoch_ = -1, last_place_ = 0;  // of order_
  std::vector<uint32_t> order_;
};

}  // namespace

TokenDataset::TokenDataset(std::shared_ptr<const TokenStore> store, int64_t begin, int64_t end,
                           const TokenSettings& settings)
    : store_(std::move(store)), begin_(begin), end_(end), end_of_text_(settings.end_of_text) {
  CHECK(begin >= 0 && end <= store_->size() && end - begin >= 2) << begin << " to " << end;
  shape_.sequence = settings.sequence;
  shape_.vocabulary = store_->vocabulary();
  windows_ = (end - begin - 1 + shape_.sequence - 1) / shape_.sequence;
  if (store_->mapped()) return;
  // As the reader holds it: eight bytes a token.
  const auto window_bytes = static_cast<uint64_t>(shape_.sequence) * sizeof(int64_t);
  blocks_.windows = static_cast<int64_t>(std::max<uint64_t>(1, kBlockBytes * 4 / window_bytes));
  const uint64_t block_bytes = static_cast<uint64_t>(blocks_.windows) * window_bytes;
  blocks_.at_a_time =
      static_cast<int64_t>(std::max<uint64_t>(1, settings.buffer_bytes / block_bytes));
}

absl::Status TokenDataset::ReadWindows(int64_t first, int64_t last,
                                       std::vector<int64_t>* tokens) const {
  const int64_t begin = begin_ + first * shape_.sequence;
  const int64_t end = std::min(end_, begin_ + last * shape_.sequence + 1);
  tokens->resize(static_cast<size_t>(end - begin));
  return store_->Read(begin, end, tokens->data());
}

Dataset::Description TokenDataset::Describe() const {
  return {"{\"kind\":\"tokens\",\"sequence_length\":" + std::to_string(shape_.sequence) +
              ",\"vocabulary\":" + std::to_string(shape_.vocabulary) + "}",
          "{\"kind\":\"logits of the next token\",\"end_of_text\":" + std::to_string(end_of_text_) +
              "}"};
}

std::unique_ptr<SampleReader> TokenDataset::MakeReader(const ReaderSettings& settings) const {
  return std::make_unique<TokenReader>(*this, settings);
}

}  // namespace coxswain::trainer::data
