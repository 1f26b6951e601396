#include "trainer/engine/tokenizer/bpe_trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace coxswain::trainer::tokenizer {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Learnt(const TokenizerFile& file) {
  return {file.tokens.begin() + 256, file.tokens.end()};
}

// Sennrich et al. 2016, figure 1, with spaces for ends of words.
TEST(BpeTrainer, TheMostFrequentPairFirst_TheSmallerTokensWhereTwoAreAsFrequent) {
  BpeTrainer trainer;
  std::string text;
  auto add = [&](const std::string& word, int count) {
    for (int i = 0; i < count; ++i) text += " " + word;
  };
  add("low", 5);
  add("lower", 2);
  add("newest", 6);
  add("widest", 3);
  ASSERT_TRUE(trainer.Read(text).ok());
  // "es" and "st" both occur 9 times, " l", "lo" and "ow" 7 times.
  TokenizerFile file = trainer.Learn(256 + 5 + 1, true);
  EXPECT_THAT(Learnt(file), ElementsAre("es", "est", " l", "ow", " low"));
}

TEST(BpeTrainer, NothingTwice_EndsEarly) {
  BpeTrainer trainer;
  ASSERT_TRUE(trainer.Read("abc").ok());
  EXPECT_EQ(trainer.Learn(1000, false).tokens.size(), 256u);
  ASSERT_TRUE(trainer.Read("abc").ok());
  TokenizerFile file = trainer.Learn(1000, true);
  EXPECT_THAT(Learnt(file), ElementsAre("ab", "abc"));
  ASSERT_EQ(file.added.size(), 1u);
  EXPECT_EQ(file.added[0].id, 258u);
}

TEST(BpeTrainer, WordsAreNeverMergedAcross_AndNotUtf8IsRefused) {
  BpeTrainer trainer;
  ASSERT_TRUE(trainer.Read("a b a b a b a b").ok());
  for (const std::string& token : Learnt(trainer.Learn(1000, false))) {
    EXPECT_THAT(token, ::testing::AnyOf(" a", " b"));
  }
  EXPECT_FALSE(trainer.Read("\x80").ok());
}

}  // namespace
}  // namespace coxswain::trainer::tokenizer
