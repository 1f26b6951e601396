// What ranks of a new group make of the parts of a sharded state that they have.
#include "trainer/engine/training/shard_census.h"

#include <gtest/gtest.h>

namespace coxswain::trainer::engine {
namespace {

using Verdict = ShardCensus::Verdict;

// Of the split of generation 3.
RankStanding Has(uint32_t part, uint32_t parts, int64_t updated,
                 UpdateStage stage = UpdateStage::kDone) {
  return {updated > 0, updated, stage, {3, parts, part}};
}

TEST(ShardCensus, NobodyHasAnything_IsFresh) {
  EXPECT_EQ(TakeCensus({{}, {}}).verdict, Verdict::kFresh);
  EXPECT_EQ(TakeCensus({Has(0, 2, 0), Has(1, 2, 0)}).verdict, Verdict::kFresh);
}

TEST(ShardCensus, AllDone_NothingIsToBeDone) {
  const ShardCensus census = TakeCensus({Has(0, 2, 7), Has(1, 2, 7)});
  EXPECT_EQ(census.verdict, Verdict::kWhole);
  EXPECT_EQ(census.step, 7);
  EXPECT_TRUE(census.done);
  EXPECT_FALSE(census.behind || census.moved);
}

TEST(ShardCensus, OneRankBeforeItsUpdate_TakesTheGradientsOfOneAfterIt) {
  const ShardCensus census =
      TakeCensus({Has(0, 3, 7), Has(1, 3, 8, UpdateStage::kUpdated), Has(2, 3, 7)});
  EXPECT_EQ(census.verdict, Verdict::kWhole);
  EXPECT_EQ(census.step, 8);
  EXPECT_EQ(census.root, 1u);
  EXPECT_TRUE(census.behind);
  EXPECT_FALSE(census.done);
}

// The first step of all: a rank that has not updated has what all began with.
TEST(ShardCensus, FirstStepInterrupted_IsWhole) {
  const ShardCensus census = TakeCensus({Has(0, 2, 0), Has(1, 2, 1, UpdateStage::kUpdated)});
  EXPECT_EQ(census.verdict, Verdict::kWhole);
  EXPECT_TRUE(census.behind);
}

TEST(ShardCensus, RankThatIsDone_IsGoneByBeforeOneThatIsNot) {
  const ShardCensus census = TakeCensus(
      {Has(0, 3, 8, UpdateStage::kHelped), Has(1, 3, 8, UpdateStage::kUpdated), Has(2, 3, 8)});
  EXPECT_EQ(census.root, 2u);
  EXPECT_FALSE(census.behind || census.done);
}

TEST(ShardCensus, PartNowhere_IsLost) {
  EXPECT_EQ(TakeCensus({Has(0, 3, 7), {}, Has(2, 3, 7)}).verdict, Verdict::kLost);
  EXPECT_EQ(TakeCensus({Has(0, 3, 7), Has(2, 3, 7)}).verdict, Verdict::kLost);
}

TEST(ShardCensus, PartOfAnEarlierSplitOrStep_IsNone) {
  RankStanding earlier = Has(1, 2, 7);
  earlier.place.split = 2;
  EXPECT_EQ(TakeCensus({Has(0, 2, 7), earlier}).verdict, Verdict::kLost);
  EXPECT_EQ(TakeCensus({Has(0, 2, 7), Has(1, 2, 5)}).verdict, Verdict::kLost);
}

// What cannot be is not gone on with: a rank is done only if all have updated.
TEST(ShardCensus, RankBeforeItsUpdateAndNobodyWithGradients_IsLost) {
  EXPECT_EQ(TakeCensus({Has(0, 2, 8), Has(1, 2, 7)}).verdict, Verdict::kLost);
}

TEST(ShardCensus, OtherNumberOrOrderOfRanks_IsSplitAnew) {
  const ShardCensus grown = TakeCensus({{}, Has(1, 2, 7), Has(0, 2, 7)});
  EXPECT_EQ(grown.verdict, Verdict::kWhole);
  EXPECT_TRUE(grown.moved);
  EXPECT_FALSE(grown.done);
  EXPECT_EQ(grown.holders, (std::vector<uint32_t>{2, 1}));
  const ShardCensus turned = TakeCensus({Has(1, 2, 7), Has(0, 2, 7)});
  EXPECT_TRUE(turned.moved && turned.done);
}

}  // namespace
}  // namespace coxswain::trainer::engine
