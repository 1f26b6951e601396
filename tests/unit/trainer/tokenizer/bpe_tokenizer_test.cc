#include "trainer/engine/tokenizer/bpe_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "samples.h"
#include "trainer/engine/tokenizer/byte_tokenizer.h"
#include "trainer/engine/tokenizer/utf8.h"

namespace coxswain::trainer::tokenizer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::unique_ptr<Tokenizer> Read(std::string json, const std::string& end = "") {
  auto read = ReadTokenizerFile(std::move(json), end);
  EXPECT_TRUE(read.ok()) << read.status();
  return read.ok() ? *std::move(read) : nullptr;
}

std::vector<std::string> Tokens(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<TokenId> ids;
  absl::Status status = tokenizer.MakeEncoder()->Encode(text, &ids);
  EXPECT_TRUE(status.ok()) << status;
  std::vector<std::string> out;
  for (TokenId id : ids) out.push_back(tokenizer.Decode({&id, 1}));
  EXPECT_EQ(tokenizer.Decode(ids), text);
  return out;
}

std::string Replaced(std::string text, const std::string& what, const std::string& by) {
  size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), by);
}

TEST(Bpe, MergesInTheOrderLearnt_WithinWordsOnly) {
  auto tokenizer = Read(WriteTokenizerFile(SmallFile()));
  EXPECT_EQ(tokenizer->vocabulary(), 256 + 8 + 1);
  EXPECT_EQ(tokenizer->end_of_text(), 264u);
  EXPECT_THAT(Tokens(*tokenizer, "hello hello"), ElementsAre("hello", " ", "hello"));
  EXPECT_THAT(Tokens(*tokenizer, "hhel"), ElementsAre("h", "he", "l"));
  EXPECT_THAT(Tokens(*tokenizer, "a    b"), ElementsAre("a", "  ", " ", " ", "b"));
  EXPECT_THAT(Tokens(*tokenizer, ""), ElementsAre());
}

TEST(Bpe, AddedTokens_AreFoundInTheTextFirst) {
  auto tokenizer = Read(WriteTokenizerFile(SmallFile()));
  EXPECT_THAT(Tokens(*tokenizer, "he<|endoftext|>he<|end"),
              ElementsAre("he", "<|endoftext|>", "he", "<", "|", "e", "n", "d"));
}

TEST(Bpe, WholeWordsOfTheVocabulary_AreTakenIfTheFileSaysSo) {
  TokenizerFile file = SmallFile();
  file.tokens.push_back("ok");
  file.added.back().id = 265;
  std::string json = WriteTokenizerFile(file);
  EXPECT_THAT(Tokens(*Read(json), "ok"), ElementsAre("o", "k"));
  json = Replaced(json, "\"ignore_merges\": false", "\"ignore_merges\": true");
  EXPECT_THAT(Tokens(*Read(json), "ok"), ElementsAre("ok"));
}

TEST(Bpe, Llama3Words_TakeThreeDigitsAtATime) {
  std::string json = WriteTokenizerFile(SmallFile());
  size_t begin = json.find("\"pre_tokenizer\": {"), end = json.find('}', begin);
  json.replace(begin, end + 1 - begin, std::string("\"pre_tokenizer\": ") + kLlama3Words);
  auto tokenizer = Read(json);
  EXPECT_THAT(Tokens(*tokenizer, "\thello"), ElementsAre("\t", "hello"));
  EXPECT_EQ(tokenizer->Json(), json);
}

TEST(Bpe, OldMerges_AreReadAsTheNewOnes) {
  std::string json = WriteTokenizerFile(SmallFile());
  json = Replaced(json, "[\n    \"h\",\n    \"e\"\n   ]", "\"h e\"");
  EXPECT_THAT(Tokens(*Read(json), "hello"), ElementsAre("hello"));
}

TEST(Bpe, NotUtf8_IsRefusedWithItsOffset) {
  auto tokenizer = Read(WriteTokenizerFile(SmallFile()));
  std::vector<TokenId> ids;
  absl::Status status = tokenizer->MakeEncoder()->Encode("good\xffno", &ids);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("offset 4"));
}

TEST(TokenizerFile, WhatIsNotSupported_IsNamed) {
  const std::string good = WriteTokenizerFile(SmallFile());
  auto why = [](std::string json) {
    return std::string(ReadTokenizerFile(std::move(json), "").status().message());
  };
  EXPECT_THAT(why("[]"), HasSubstr("no JSON object"));
  EXPECT_THAT(why(Replaced(good, "\"type\": \"BPE\"", "\"type\": \"Unigram\"")),
              HasSubstr("found a model of type \"Unigram\", expected \"BPE\""));
  EXPECT_THAT(why(Replaced(good, "\"normalizer\": null", R"("normalizer": {"type": "NFC"})")),
              HasSubstr(R"(found the normalizer {"type":"NFC"}, expected none)"));
  EXPECT_THAT(why(Replaced(good, "\"lstrip\": false", "\"lstrip\": true")),
              HasSubstr("\"<|endoftext|>\" has lstrip"));
  EXPECT_THAT(why(Replaced(good, "\"h\",\n    \"e\"", "\"h\",\n    \"nothere\"")),
              HasSubstr("is not of two tokens"));
  EXPECT_THAT(why(Replaced(good, "\"!\": 33,", "")), HasSubstr("no token for the byte 33"));
  EXPECT_THAT(std::string(ReadTokenizerFile(good, "<|eot|>").status().message()),
              HasSubstr("no added token \"<|eot|>\""));
}

TEST(Bytes, AnyBytes_AndTheirTokenizerFileGivesTheSame) {
  auto bytes = MakeByteTokenizer(true);
  EXPECT_EQ(bytes->vocabulary(), 257);
  EXPECT_EQ(bytes->end_of_text(), 256u);
  EXPECT_EQ(MakeByteTokenizer(false)->vocabulary(), 256);
  auto read = Read(bytes->Json());
  const std::string text = "a\0\xc3\xa9\n b";
  std::vector<TokenId> one, other;
  ASSERT_TRUE(bytes->MakeEncoder()->Encode(text, &one).ok());
  ASSERT_TRUE(read->MakeEncoder()->Encode(text, &other).ok());
  EXPECT_EQ(one, other);
  EXPECT_EQ(read->end_of_text(), 256u);
}

TEST(Alphabet, SpellsEveryByteAndReadsItBack) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  EXPECT_EQ(BytesOfSpelling(SpellBytes(all)), all);
  EXPECT_EQ(SpellBytes(" a\n"),
            "\xc4\xa0"
            "a\xc4\x8a");
  EXPECT_EQ(BytesOfSpelling("\xe2\x82\xac"), std::nullopt);
}

TEST(Utf8, FirstWrongByteIsFound) {
  EXPECT_EQ(FindBadUtf8("plain and \xc3\xa9 \xf0\x9f\x98\x80 long enough"), std::string::npos);
  EXPECT_EQ(FindBadUtf8("ab\xc3"), 2u);
  EXPECT_EQ(FindBadUtf8("0123456789\xed\xa0\x80"), 10u);  // a surrogate
  EXPECT_EQ(FindBadUtf8("\xc0\xaf"), 0u);                 // not the shortest form
  EXPECT_EQ(FindBadUtf8("\xf4\x90\x80\x80"), 0u);         // above U+10FFFF
}

}  // namespace
}  // namespace coxswain::trainer::tokenizer
