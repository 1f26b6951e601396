// spec.data of text and tokens, and the models that are trained on them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/config/transformer.h"
#include "tests/unit/common/config/example_job.h"

namespace coxswain::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string TextJob(const std::string& data, const std::string& model = "",
                    const std::string& format = "text") {
  return "apiVersion: coxswain/v1\nkind: TrainingJob\nmetadata: {name: words}\nspec:\n"
         "  data:\n    format: " +
         format + "\n    train: {files: [a.txt, s3://bucket/b.txt]}\n" + data + model;
}

constexpr char kLength[] = "    sequence_length: 64\n";

TEST(TextSection, DefaultsAndAGpt) {
  const JobSpec job = Parsed(TextJob(kLength)).spec;
  EXPECT_THAT(job.data.table.files, ElementsAre("a.txt", "s3://bucket/b.txt"));
  EXPECT_EQ(job.data.text.sequence_length, 64);
  EXPECT_EQ(job.data.text.tokenizer, TokenizerKind::kBytes);
  EXPECT_TRUE(job.data.text.end_of_text);
  EXPECT_EQ(job.model.recipe, Recipe::kGpt);
  EXPECT_FALSE(job.data.HasEvaluation());
  const Transformer shape = ResolvedTransformer(job.model, 64, 257);
  EXPECT_EQ(shape.context, 64);
  EXPECT_EQ(shape.vocabulary, 257);
  EXPECT_EQ(shape.feed_forward, 4 * 768);
}

TEST(TextSection, Tokenizers) {
  const TextData learnt =
      Parsed(TextJob(std::string(kLength) + "    tokenizer: {train: bpe, vocabulary: 4096}\n"))
          .spec.data.text;
  EXPECT_EQ(learnt.tokenizer, TokenizerKind::kLearn);
  EXPECT_EQ(learnt.learnt_vocabulary, 4096);
  const TextData file =
      Parsed(TextJob(std::string(kLength) + "    tokenizer: {file: gpt2.json}\n")).spec.data.text;
  EXPECT_EQ(file.tokenizer, TokenizerKind::kFile);
  EXPECT_EQ(file.tokenizer_file, "gpt2.json");
  const TextData tokens =
      Parsed(TextJob(std::string(kLength) + "    vocabulary: 50257\n    token_type: uint32\n", "",
                     "tokens"))
          .spec.data.text;
  EXPECT_EQ(tokens.vocabulary, 50257);
  EXPECT_EQ(tokens.token_bytes, 4u);
}

TEST(TextSection, ALlamaWithItsShapes) {
  const Model model =
      Parsed(TextJob(kLength,
                     "  model: {recipe: llama, layers: 2, heads: 8, kv_heads: 2, width: 64, "
                     "tied: false, rope_theta: 5e5, norm_epsilon: 1e-5}\n"))
          .spec.model;
  const Transformer shape = ResolvedTransformer(model, 64, 300);
  EXPECT_EQ(shape.kv_heads, 2);
  EXPECT_EQ(shape.feed_forward, 256);  // 8/3 of 64, up to a multiple of 256
  EXPECT_FALSE(shape.tied);
  EXPECT_EQ(shape.rope_theta, 5e5);
}

struct Bad {
  std::string data, model, expected, format = "text";
};

TEST(TextSection, SaysWhatIsWrong) {
  const std::string length = kLength;
  const Bad cases[] = {
      {"", "", "missing key 'sequence_length' in spec.data"},
      {length + "    vocabulary: 5\n", "", "belongs to format tokens"},
      {length + "    tokenizer: words\n", "", "expected bytes"},
      {length + "    tokenizer: {file: a.json, train: bpe}\n", "", "expected either 'file'"},
      {length + "    tokenizer: {train: bpe}\n", "",
       "missing key 'vocabulary' in spec.data.tokenizer"},
      {length, "", "missing key 'vocabulary' in spec.data", "tokens"},
      {length + "    tokenizer: bytes\n", "", "the data is tokens already", "tokens"},
      {length, "  model: {recipe: cnn}\n", "is text, which is for gpt and llama"},
      {length, "  model: {recipe: gpt, hidden: [3]}\n", "belongs to recipe cnn or mlp"},
      {length, "  model: {recipe: gpt, kv_heads: 3}\n", "belongs to recipe llama"},
      {length, "  model: {recipe: gpt, width: 100}\n",
       "spec.model.heads: found 12, expected a divisor of the width, 100"},
      {length, "  model: {recipe: llama, kv_heads: 5}\n",
       "spec.model.kv_heads: found 5, expected a divisor of 12"},
      {length, "  model: {recipe: gpt, context: 32}\n",
       "spec.model.context: found 32, expected at least 64"},
      {length, "  model: {recipe: gpt, from: /m, layers: 3}\n", "cannot stand beside 'from'"},
  };
  for (const Bad& bad : cases) {
    EXPECT_THAT(MistakesIn(TextJob(bad.data, bad.model, bad.format)),
                ::testing::Contains(HasSubstr(bad.expected)))
        << bad.data << bad.model;
  }
}

TEST(TextSection, PathsBecomeAbsolute) {
  const JobSpec job = Parsed(TextJob(std::string(kLength) + "    tokenizer: {file: t.json}\n",
                                     "  model: {recipe: gpt, from: models/gpt2}\n"))
                          .spec;
  EXPECT_THAT(AbsolutePathOverrides(job, "/jobs"),
              ::testing::IsSupersetOf({"spec.data.tokenizer.file=file:///jobs/t.json",
                                       "spec.model.from=file:///jobs/models/gpt2"}));
}

}  // namespace
}  // namespace coxswain::config
