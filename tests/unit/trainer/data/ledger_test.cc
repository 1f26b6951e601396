// The ledger: every sample is used exactly once per epoch, whatever the number of ranks, in memory
// and streamed, and when the number of ranks changes within an epoch.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/unit/trainer/data/fake_table.h"
#include "trainer/engine/data/batch_loader.h"

namespace coxswain::trainer::data {
namespace {

constexpr int64_t kRows = 103, kBatch = 25, kEpochs = 3;  // 25 is no multiple of 2, 3 or 4

// How often each row was used, by epoch; and which row stood at each position.
struct Ledger {
  std::vector<std::map<int64_t, int>> uses = std::vector<std::map<int64_t, int>>(kEpochs);
  std::map<int64_t, int64_t> row_at;
};

// All ranks of a world from a position to another (0: to the end).
void Use(const Dataset& set, uint32_t world, int64_t from, int64_t to, Ledger* ledger) {
  LoaderSettings settings;
  settings.plan = {.samples = set.size(), .batch = kBatch, .epochs = kEpochs};
  settings.seed = 7;
  settings.float64 = true;
  for (uint32_t rank = 0; rank < world; ++rank) {
    BatchLoader loader(set, settings, rank, world, from / kBatch, from);
    for (int64_t position = from; position < (to > 0 ? to : kRows * kEpochs);) {
      auto batch = loader.Next();
      ASSERT_TRUE(batch.ok()) << batch.status();
      ASSERT_EQ((*batch)->position, position);
      for (int64_t i = 0; i < (*batch)->share.size(); ++i) {
        const auto row = static_cast<int64_t>((*batch)->rows.targets[static_cast<size_t>(i)]);
        const int64_t place = position + (*batch)->share.begin + i;
        ++ledger->uses[static_cast<size_t>(place / kRows)][row];
        ledger->row_at[place] = row;
      }
      position += (*batch)->global_size;
      loader.Recycle(*std::move(batch));
    }
  }
}

void ExpectEachOnce(const Ledger& ledger) {
  for (const auto& epoch : ledger.uses) {
    ASSERT_EQ(epoch.size(), kRows);
    for (const auto& [row, uses] : epoch) EXPECT_EQ(uses, 1) << "row " << row;
  }
}

// Sizes of the buffer: in memory; windows of a few rows, of less than a row group, of one row.
class LedgerTest : public ::testing::TestWithParam<int64_t> {
 protected:
  FakeSet made_ = MakeSet(FakeSpec(GetParam()));
};

TEST_P(LedgerTest, EachSampleOncePerEpoch_AtAnyNumberOfRanks_InTheSameOrder) {
  ASSERT_EQ(made_.set->size(), kRows);
  Ledger one;
  Use(*made_.set, 1, 0, 0, &one);
  ExpectEachOnce(one);
  for (uint32_t world : {2, 3, 4}) {
    Ledger more;
    Use(*made_.set, world, 0, 0, &more);
    ExpectEachOnce(more);
    EXPECT_EQ(more.row_at, one.row_at) << world << " ranks";
  }
}

TEST_P(LedgerTest, RanksChangeWithinAnEpoch_EachSampleOnce) {
  Ledger ledger;
  const int64_t first = 2 * kBatch, second = kRows + kBatch;
  Use(*made_.set, 3, 0, first, &ledger);
  Use(*made_.set, 2, first, second, &ledger);
  Use(*made_.set, 4, second, 0, &ledger);
  ExpectEachOnce(ledger);
}

TEST_P(LedgerTest, EpochsDiffer_AndFollowTheSeedAlone) {
  auto order = [&](const Dataset& set, uint64_t seed, int64_t epoch) {
    Rows rows;
    EXPECT_TRUE(set.MakeReader({seed, true})->Read(epoch, 0, kRows, rows).ok());
    return rows.targets;
  };
  const std::vector<double> first = order(*made_.set, 7, 0);
  EXPECT_NE(order(*made_.set, 7, 1), first);
  EXPECT_NE(order(*made_.set, 8, 0), first);
  EXPECT_EQ(order(*MakeSet(FakeSpec(GetParam())).set, 7, 0), first);
  const std::vector<double> stored = order(*made_.set, 7, -1);
  for (size_t i = 0; i < kRows; ++i) EXPECT_EQ(stored[i], static_cast<double>(i));
}

// 28 bytes a row: x, y (8 each), kind (4), row (8).
INSTANTIATE_TEST_SUITE_P(Buffers, LedgerTest,
                         ::testing::Values(1 << 20, 28 * 4 * 25, 28 * 4 * 7, 28 * 8),
                         [](const auto& tested) { return std::to_string(tested.index); });

TEST(StreamedRows, ComeFromAllGroupsOfAWindow_NotInTheirOrder) {
  FakeSet made = MakeSet(FakeSpec(28 * 4 * 30));
  Rows rows;
  ASSERT_TRUE(made.set->MakeReader({3, true})->Read(0, 0, 30, rows).ok());
  EXPECT_FALSE(std::is_sorted(rows.targets.begin(), rows.targets.end()));
}

TEST(RowChoice, SplitsEveryRowToOneSide_ByItsPlaceAlone) {
  config::TableData spec = FakeSpec();
  const RowChoice train{0.3, false}, kept{0.3, true};
  FakeSet training = MakeSet(spec, train), evaluation = MakeSet(spec, kept);
  EXPECT_EQ(training.set->size() + evaluation.set->size(), kRows);
  EXPECT_NEAR(static_cast<double>(evaluation.set->size()), 31, 12);
  for (int64_t row = 0; row < 1000; ++row) EXPECT_NE(train.Takes(row), kept.Takes(row));
  spec.buffer_bytes = 1;
  FakeSet streamed = MakeSet(spec, kept);
  Rows a, b;
  const int64_t size = evaluation.set->size();
  ASSERT_TRUE(evaluation.set->MakeReader({1, true})->Read(-1, 0, size, a).ok());
  ASSERT_TRUE(streamed.set->MakeReader({1, true})->Read(-1, 0, size, b).ok());
  EXPECT_EQ(a.targets, b.targets);
  EXPECT_EQ(a.dense, b.dense);
  EXPECT_EQ(a.ids, b.ids);
}

}  // namespace
}  // namespace coxswain::trainer::data
