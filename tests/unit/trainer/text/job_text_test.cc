#include "trainer/text/job_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include <filesystem>
#include <fstream>

#include "trainer/text/file_list.h"

namespace coxswain::trainer::text {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class JobTextTest : public ::testing::Test {
 protected:
  JobTextTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "job-textXXXXXX";
    folder_ = mkdtemp(pattern.data());
    spec_.format = "text";
    spec_.text.sequence_length = 4;
  }
  ~JobTextTest() override { std::filesystem::remove_all(folder_); }

  std::string At(const std::string& name) { return folder_ + "/" + name; }
  void Write(const std::string& name, const std::string& bytes) {
    std::filesystem::create_directories(std::filesystem::path(At(name)).parent_path());
    std::ofstream(At(name), std::ios::binary) << bytes;
  }
  std::string Gzip(const std::string& bytes) {
    gzFile file = gzopen(At("packing.gz").c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
    std::ifstream in(At("packing.gz"), std::ios::binary);
    std::string packed(std::istreambuf_iterator<char>(in), {});
    std::filesystem::remove(At("packing.gz"));
    return packed;
  }
  static std::string Zstd(const std::string& bytes) {
    std::string packed(ZSTD_compressBound(bytes.size()), '\0');
    packed.resize(
        ZSTD_compress(packed.data(), packed.size(), bytes.data(), bytes.size(), /*level=*/3));
    return packed;
  }
  void Files(const std::vector<std::string>& names) {
    spec_.table.files.clear();
    for (const std::string& name : names) spec_.table.files.push_back("file://" + At(name));
  }

  // All tokens of a set, by its windows.
  static std::vector<int64_t> Tokens(const data::TokenDataset& set) {
    std::vector<int64_t> tokens;
    EXPECT_TRUE(set.ReadWindows(0, set.size(), &tokens).ok());
    return tokens;
  }
  std::string Text(const data::TokenDataset& set) {
    std::string text;
    for (int64_t token : Tokens(set)) text += token == 256 ? '|' : static_cast<char>(token);
    return text;
  }
  std::string Why() { return std::string(ReadJobText(spec_, {}).status().message()); }
  std::string WhyAtSubmit() { return std::string(CheckJobText(spec_, {}).status().message()); }

  std::string folder_;
  config::Data spec_;
};

TEST_F(JobTextTest, FilesFoldersAndPatterns_PackedOrNot_EachEnded) {
  Write("a.txt", "alpha");
  Write("more/b.txt.gz", Gzip("beta"));
  Write("more/below/c.zst", Zstd("gamma"));
  Write("d1.txt", "de");
  Write("d2.txt", "lta");
  Write("d.md", "no");
  Files({"a.txt", "more/", "d?.txt"});
  auto read = ReadJobText(spec_, {});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(Text(*read->train), "alpha|beta|gamma|de|lta|");
  EXPECT_EQ(read->train->shape().vocabulary, 257);
  EXPECT_EQ(read->end_of_text, 256);
  EXPECT_THAT(read->tokenizer_json, HasSubstr("<|endoftext|>"));
  EXPECT_EQ(read->evaluate, nullptr);
  spec_.text.end_of_text = false;
  read = ReadJobText(spec_, {});
  EXPECT_EQ(Text(*read->train), "alphabetagammadelta");
  EXPECT_EQ(read->train->shape().vocabulary, 256);
}

TEST_F(JobTextTest, GzipOfSeveralMembers_IsOneText) {
  Write("a.gz", Gzip("one ") + Gzip("two"));
  Files({"a.gz"});
  auto read = ReadJobText(spec_, {});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(Text(*read->train), "one two|");
}

TEST_F(JobTextTest, Evaluation_IsTheEndOrFilesOfItsOwn) {
  Write("a.txt", "0123456789");
  Write("b.txt", "xyz");
  Files({"a.txt"});
  spec_.text.end_of_text = false;
  spec_.table.evaluate_fraction = 0.3;
  auto read = ReadJobText(spec_, {});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(Text(*read->train), "0123456");
  EXPECT_EQ(Text(*read->evaluate), "789");
  spec_.table.evaluate_fraction = 0;
  spec_.table.evaluate_files = {"file://" + At("b.txt")};
  read = ReadJobText(spec_, {});
  EXPECT_EQ(Text(*read->evaluate), "xyz");
}

TEST_F(JobTextTest, LearntBpe_IsTheSameEachTime_AndReadsItsOwnFile) {
  std::string text;
  for (int i = 0; i < 200; ++i)
    text += "the cat and the hat sat on the mat " + std::to_string(i % 7);
  Write("a.txt", text);
  Files({"a.txt"});
  spec_.text.tokenizer = config::TokenizerKind::kLearn;
  spec_.text.learnt_vocabulary = 280;
  auto read = ReadJobText(spec_, {});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->train->shape().vocabulary, 280);
  EXPECT_LT(read->train->size() * 4, static_cast<int64_t>(text.size()) / 2);
  EXPECT_EQ(ReadJobText(spec_, {})->tokenizer_json, read->tokenizer_json);
  Write("tokenizer.json", read->tokenizer_json);
  spec_.text.tokenizer = config::TokenizerKind::kFile;
  spec_.text.tokenizer_file = At("tokenizer.json");
  auto again = ReadJobText(spec_, {});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(Tokens(*again->train), Tokens(*read->train));
  EXPECT_EQ(again->end_of_text, read->end_of_text);
}

TEST_F(JobTextTest, BadFiles_AreNamedWithTheirKey) {
  Write("a.txt", "alpha");
  Write("empty.txt", "");
  Files({"a.txt", "none.txt"});
  EXPECT_THAT(Why(), AllOf(StartsWith("spec.data.train.files: "), HasSubstr("none.txt"),
                           HasSubstr("on every machine that may run it")));
  EXPECT_EQ(WhyAtSubmit(), Why());
  Files({"a.txt", "empty.txt"});
  EXPECT_THAT(Why(), HasSubstr("empty.txt: the file is empty; leave it out"));
  EXPECT_EQ(WhyAtSubmit(), Why());
  Files({"*.pdf"});
  EXPECT_THAT(Why(), HasSubstr("*.pdf: no such file"));
  std::string packed = Gzip(std::string(5000, 'x') + "end");
  Write("cut.gz", packed.substr(0, packed.size() - 9));
  Files({"cut.gz"});
  EXPECT_THAT(Why(), HasSubstr("cut.gz: the gzip data is damaged or cut short"));
  packed = Zstd(std::string(5000, 'x') + "end");
  Write("cut.zst", packed.substr(0, packed.size() - 3));
  Files({"cut.zst"});
  EXPECT_THAT(Why(), HasSubstr("cut.zst: the zstd data is damaged or cut short"));
  Write("one.txt", "x");
  Files({"one.txt"});
  spec_.text.end_of_text = false;
  EXPECT_THAT(Why(), HasSubstr("found 1 token, expected at least 2"));
}

TEST_F(JobTextTest, NotUtf8_IsRefusedForABpeAlone) {
  Write("a.txt", "good text, then \xff");
  Files({"a.txt"});
  EXPECT_EQ(Why(), "");
  spec_.text.tokenizer = config::TokenizerKind::kLearn;
  spec_.text.learnt_vocabulary = 300;
  EXPECT_THAT(Why(), HasSubstr("a.txt: the byte at offset 16 is not UTF-8"));
}

TEST_F(JobTextTest, MoreThanTheBuffer_SaysWhatToDo) {
  Write("a.txt", std::string(1000, 'x'));
  Files({"a.txt"});
  spec_.table.buffer_bytes = 1024;  // of 2002
  EXPECT_THAT(Why(), AllOf(StartsWith("spec.data.buffer: "), HasSubstr("more than 1KiB"),
                           HasSubstr("spec.data.format: tokens")));
  spec_.table.buffer_bytes = 2048;
  EXPECT_EQ(Why(), "");
}

TEST_F(JobTextTest, TokenFiles_WithAndWithoutAHeader) {
  const std::string two("\1\0\2\0\3\0\4\0", 8);
  std::string header = "{'descr': '<u4', 'fortran_order': False, 'shape': (3,), }";
  header.resize(117, ' ');
  header += '\n';
  std::string npy("\x93NUMPY\1\0", 8);
  npy += static_cast<char>(header.size());
  npy += '\0';
  npy += header + std::string("\5\0\0\0\6\0\0\0\7\0\0\0", 12);
  Write("a.bin", two);
  Write("b.npy", npy);
  Files({"a.bin", "b.npy"});
  spec_.format = "tokens";
  spec_.text.vocabulary = 8;
  auto read = ReadJobText(spec_, {});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(Tokens(*read->train), ElementsAre(1, 2, 3, 4, 5, 6, 7));
  EXPECT_EQ(CheckJobText(spec_, {})->samples, 2);

  Write("a.bin", two + "x");
  EXPECT_THAT(Why(), HasSubstr("a.bin: found 9 bytes, expected a multiple of 2"));
  Write("a.bin", two);
  Write("b.npy", npy.substr(0, npy.size() - 2));
  EXPECT_THAT(Why(), HasSubstr("bytes, expected 140 for the 3 tokens of its header; is it cut"));
  std::string floats = npy;
  Write("b.npy", floats.replace(floats.find("<u4"), 3, "<f4"));
  EXPECT_THAT(Why(), HasSubstr("b.npy: found numbers of the type '<f4', expected '<u2' or '<u4'"));
  EXPECT_EQ(WhyAtSubmit(), Why());
}

// As those on s3:// are: by ranges, and shuffled in blocks.
TEST_F(JobTextTest, TokenFilesOfAStore_AreReadByRangesAsTheMappedOnes) {
  std::string bytes;
  for (int i = 0; i < 30'000; ++i) bytes += {static_cast<char>(i * 7 % 251), '\0'};
  Write("a.bin", bytes.substr(0, 20'000));
  Write("b.bin", bytes.substr(20'000));
  Files({"*.bin"});
  spec_.format = "tokens";
  spec_.text.vocabulary = 251;
  blob::StoreSettings store;
  store.open = [](std::string_view uri) { return *blob::OpenStore(uri, {}); };
  auto mapped = ReadJobText(spec_, {}), ranges = ReadJobText(spec_, store);
  ASSERT_TRUE(mapped.ok() && ranges.ok()) << mapped.status() << ranges.status();
  EXPECT_TRUE(mapped->train->in_memory());
  EXPECT_FALSE(ranges->train->in_memory());
  EXPECT_EQ(Tokens(*ranges->train), Tokens(*mapped->train));
  data::Rows rows;
  auto reader = ranges->train->MakeReader({});
  for (int64_t i = 0; i < ranges->train->size(); i += 100) {
    ASSERT_TRUE(reader->Read(0, i, i + 1, rows).ok());
  }
}

TEST(Matches, StarsAndQuestionMarks) {
  EXPECT_TRUE(Matches("train-01.bin", "train-*.bin"));
  EXPECT_TRUE(Matches("train-01.bin", "*0?.b*n"));
  EXPECT_TRUE(Matches("abcbcd", "a*bcd"));
  EXPECT_FALSE(Matches("train-01.bin.gz", "train-*.bin"));
  EXPECT_FALSE(Matches("", "?"));
}

}  // namespace
}  // namespace coxswain::trainer::text
