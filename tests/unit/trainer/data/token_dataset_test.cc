#include "trainer/engine/data/token_dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "trainer/core/training_plan.h"
#include "trainer/engine/data/batch_loader.h"

namespace coxswain::trainer::data {
namespace {

using ::testing::HasSubstr;

template <class Number>
std::string Bytes(int64_t first, int64_t count) {
  std::string bytes(static_cast<size_t>(count) * sizeof(Number), '\0');
  for (int64_t i = 0; i < count; ++i) {
    auto number = static_cast<Number>(first + i);
    std::memcpy(bytes.data() + static_cast<size_t>(i) * sizeof number, &number, sizeof number);
  }
  return bytes;
}

// As a store's object: only by ranges, and it counts them.
class Ranges : public ByteRanges {
 public:
  explicit Ranges(std::string bytes) : bytes_(std::move(bytes)) {}
  absl::Status Read(uint64_t offset, char* to, uint64_t bytes) const override {
    EXPECT_LE(offset + bytes, bytes_.size());
    std::memcpy(to, bytes_.data() + offset, bytes);
    ++reads;
    return absl::OkStatus();
  }
  mutable int reads = 0;

 private:
  const std::string bytes_;
};

// Tokens 0, 1, 2 ... in three files of both widths, the second of them empty.
std::shared_ptr<const TokenStore> Counting(int64_t count, bool mapped,
                                           int64_t vocabulary = 60'000) {
  int64_t first = count / 3;
  std::string head = "head", a = Bytes<uint16_t>(0, first),
              b = Bytes<uint32_t>(first, count - first);
  auto bytes = [&](std::string of) -> std::shared_ptr<const ByteRanges> {
    if (mapped) return std::make_shared<HeldBytes>(std::move(of));
    return std::make_shared<Ranges>(std::move(of));
  };
  std::vector<TokenPart> parts = {{"a.bin", bytes(head + a), 4, first, 2},
                                  {"none.bin", bytes(""), 0, 0, 2},
                                  {"b.bin", bytes(b), 0, count - first, 4}};
  return std::make_shared<TokenStore>(std::move(parts), vocabulary);
}

TEST(TokenStore, FilesEndToEnd_AnyRange) {
  auto store = Counting(100, true);
  ASSERT_EQ(store->size(), 100);
  for (int64_t begin = 0; begin < 100; begin += 7) {
    for (int64_t end = begin; end <= 100; end += 9) {
      std::vector<int64_t> tokens(static_cast<size_t>(end - begin));
      ASSERT_TRUE(store->Read(begin, end, tokens.data()).ok());
      for (int64_t i = begin; i < end; ++i) ASSERT_EQ(tokens[static_cast<size_t>(i - begin)], i);
    }
  }
}

TEST(TokenStore, TokenAboveTheVocabulary_NamesFileAndOffset) {
  auto store = Counting(100, true, 20);
  std::vector<int64_t> tokens(100);
  EXPECT_TRUE(store->Read(0, 20, tokens.data()).ok());
  absl::Status status = store->Read(10, 30, tokens.data());
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("a.bin: found the token 20 at offset 44 (token 20), expected 0 to 19"));
}

TEST(TokenDataset, LastWindow_IsFilledUpWithoutLabels) {
  TokenDataset set(Counting(11, true), 0, 11, {4, 0});  // 10 labels: windows of 4, 4 and 2
  ASSERT_EQ(set.size(), 3);
  EXPECT_EQ(set.shape().sequence, 4);
  EXPECT_EQ(set.shape().labels_size(), 4);
  EXPECT_EQ(set.missing_labels(), 2);
  Rows rows;
  auto reader = set.MakeReader({});
  ASSERT_TRUE(reader->Read(-1, 1, 3, rows).ok());
  EXPECT_EQ(rows.ids, (std::vector<int64_t>{4, 5, 6, 7, 8, 9, 0, 0}));
  EXPECT_EQ(rows.labels, (std::vector<int64_t>{5, 6, 7, 8, 9, 10, kNoLabel, kNoLabel}));
  EXPECT_EQ(reader->MissingLabels(-1, 0, 2), 0);
  EXPECT_EQ(reader->MissingLabels(-1, 2, 3), 2);
  // Whole windows only.
  EXPECT_EQ(TokenDataset(Counting(9, true), 0, 9, {4, 0}).missing_labels(), 0);
  // A part of the text; shorter than a window.
  TokenDataset part(Counting(11, true), 8, 11, {4, 0});
  ASSERT_TRUE(part.MakeReader({})->Read(-1, 0, 1, rows).ok());
  EXPECT_EQ(rows.labels, (std::vector<int64_t>{9, 10, kNoLabel, kNoLabel}));
}

// How often each token is predicted in an epoch, over all ranks, as the engine reads it; the number
// of ranks and the batch change after `interrupted` steps.
std::map<int64_t, int> Predicted(const TokenDataset& set, uint32_t world, int64_t interrupted) {
  std::map<int64_t, int> seen;
  int64_t step = 0, position = set.size(), end = 2 * set.size();  // the second epoch
  while (position < end) {
    const bool first = step < interrupted;
    core::TrainingPlan plan{set.size(), first ? 7 : 5, 2, 0, 0};
    const uint32_t ranks = first ? world : world % 4 + 1;
    int64_t steps = first ? interrupted : INT64_C(1) << 40, next = position, told = 0, counted = 0;
    for (uint32_t rank = 0; rank < ranks; ++rank) {
      LoaderSettings settings;
      settings.plan = plan;
      settings.seed = 3;
      BatchLoader loader(set, settings, rank, ranks, step, position);
      next = position;
      for (int64_t i = 0; i < steps && next < end; ++i) {
        auto batch = loader.Next();
        EXPECT_TRUE(batch.ok()) << batch.status();
        next += (*batch)->global_size;
        if (rank == 0) told += (*batch)->missing_labels;
        if ((*batch)->share.size() == 0) continue;  // a stand-in, of weight 0
        for (int64_t label : (*batch)->rows.labels) {
          label == kNoLabel ? ++counted : ++seen[label];
        }
      }
    }
    EXPECT_EQ(told, counted);
    position = next;
    step += first ? interrupted : 1;
  }
  return seen;
}

void ExpectEveryTokenOnce(const TokenDataset& set, int64_t tokens) {
  for (uint32_t world = 1; world <= 4; ++world) {
    for (int64_t interrupted : {0, 1, 4}) {
      std::map<int64_t, int> seen = Predicted(set, world, interrupted);
      ASSERT_EQ(seen.size(), static_cast<size_t>(tokens - 1)) << world << " ranks";
      ASSERT_EQ(seen.begin()->first, 1);
      for (auto [token, count] : seen) ASSERT_EQ(count, 1) << "token " << token;
    }
  }
}

TEST(Ledger, InMemory_EveryTokenIsPredictedOnceByAnyRanks) {
  ExpectEveryTokenOnce(TokenDataset(Counting(500, true), 0, 500, {9, 0}), 500);
}

TEST(Ledger, FromAStoreByRanges_EveryTokenIsPredictedOnceByAnyRanks) {
  TokenDataset set(Counting(50'000, false), 0, 50'000, {1000, 0});  // a block of 524 windows
  EXPECT_EQ(set.blocks().at_a_time, 1);
  ExpectEveryTokenOnce(set, 50'000);
}

TEST(WindowOrder, IsAPermutationWithinGroupsOfBlocks) {
  const WindowBlocks blocks{8, 3};
  std::vector<uint32_t> order = WindowOrder(1, 0, 1003, blocks), sorted = order;
  EXPECT_EQ(order, WindowOrder(1, 0, 1003, blocks));
  EXPECT_NE(order, WindowOrder(1, 1, 1003, blocks));
  EXPECT_NE(order, WindowOrder(2, 0, 1003, blocks));
  std::sort(sorted.begin(), sorted.end());
  for (uint32_t i = 0; i < 1003; ++i) ASSERT_EQ(sorted[i], i);
  // 3 blocks of 8 at a time: each block is needed within one group alone.
  std::map<uint32_t, size_t> first, last;
  for (size_t i = 0; i < order.size(); ++i) {
    first.emplace(order[i] / 8, i);
    last[order[i] / 8] = i;
  }
  for (auto [block, at] : first) EXPECT_LT(last[block] - at, 24u);
}

// Old runs must resume with the order they had: these numbers may never change.
TEST(WindowOrder, StaysTheSameForEver) {
  EXPECT_EQ(WindowOrder(1, 0, 8, {}), (std::vector<uint32_t>{3, 7, 0, 4, 2, 5, 6, 1}));
  EXPECT_EQ(WindowOrder(1, 0, 10, {2, 2}), (std::vector<uint32_t>{3, 2, 9, 8, 7, 5, 4, 6, 1, 0}));
}

TEST(TokenDataset, StreamedWithAWindowOfBlocks_ReadsEachBlockOnceAnEpoch) {
  constexpr int64_t kTokens = 3'000'000;
  auto ranges = std::make_shared<Ranges>(Bytes<uint32_t>(0, kTokens));
  auto store = std::make_shared<TokenStore>(
      std::vector<TokenPart>{{"a.bin", ranges, 0, kTokens, 4}}, kTokens);
  TokenDataset set(store, 0, kTokens, {10'000, 2 << 22});  // windows of 80 kB in blocks of 52
  ASSERT_EQ(set.blocks().at_a_time, 2);
  auto reader = set.MakeReader({});
  Rows rows;
  for (int64_t i = 0; i < set.size(); ++i) ASSERT_TRUE(reader->Read(0, i, i + 1, rows).ok());
  EXPECT_EQ(ranges->reads, (set.size() + set.blocks().windows - 1) / set.blocks().windows);
}

}  // namespace
}  // namespace coxswain::trainer::data
