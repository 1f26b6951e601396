#include "trainer/runtime/job_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace coxswain::trainer {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// Six images of 100 x 300 bytes that do not pack well, and their labels.
class JobDataTest : public ::testing::Test {
 protected:
  JobDataTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "job-dataXXXXXX";
    folder_ = mkdtemp(pattern.data());
    std::string images("\0\0\10\3\0\0\0\6\0\0\0\144\0\0\1\54", 16);
    for (uint64_t i = 0; i < 180'000; ++i) images += static_cast<char>(i * i >> 5);
    WriteGzip("images.gz", images);
    WriteGzip("labels.gz", std::string("\0\0\10\1\0\0\0\6\0\1\2\0\1\2", 14));
    spec_.classes = 3;
    spec_.train = {"file://" + At("images.gz"), "file://" + At("labels.gz")};
  }
  ~JobDataTest() override { std::filesystem::remove_all(folder_); }

  std::string At(const std::string& name) { return folder_ + "/" + name; }
  void WriteGzip(const std::string& name, const std::string& bytes) {
    gzFile file = gzopen(At(name).c_str(), "wb1");
    ASSERT_EQ(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())),
              static_cast<int>(bytes.size()));
    gzclose(file);
  }
  // Takes bytes out of the middle: the last ones still tell the old size.
  void CutKeepingTheEnd(const std::string& name) {
    std::ifstream in(At(name), std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    std::string bytes = text.str();
    bytes.erase(bytes.size() / 2, bytes.size() / 2 - 8);
    std::ofstream(At(name), std::ios::binary) << bytes;
  }
  absl::Status Read() { return ReadJobData(spec_, {}, {}).status(); }

  std::string folder_;
  config::Data spec_;
};

TEST_F(JobDataTest, WholeFiles_AreRead) {
  auto read = ReadJobData(spec_, {}, {});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ((*read)->train->size(), 6);
}

TEST_F(JobDataTest, ImagesOfAnEvaluation_AreNotAugmented) {
  spec_.evaluate = spec_.train;
  spec_.augment = {.horizontal_flip = true, .crop_padding = 9};
  auto read = ReadJobData(spec_, {}, {});
  ASSERT_TRUE(read.ok()) << read.status();
  auto first_epoch = [](const data::Dataset& set) {
    data::Rows rows;
    EXPECT_TRUE(set.MakeReader({})->Read(0, 0, 6, rows).ok());
    return rows.dense;
  };
  const std::vector<char> evaluated = first_epoch(*(*read)->evaluate);
  EXPECT_NE(first_epoch(*(*read)->train), evaluated);
  spec_.augment = {};
  EXPECT_EQ(first_epoch(*(*ReadJobData(spec_, {}, {}))->train), evaluated);
}

TEST_F(JobDataTest, MissingOnThisMachine_SaysKeyPathAndWhatToDo) {
  std::filesystem::remove(At("labels.gz"));
  absl::Status status = Read();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()),
              AllOf(StartsWith("spec.data.train.labels: "), HasSubstr(At("labels.gz")),
                    HasSubstr("has to be on every machine that may run it: copy it there"),
                    Not(HasSubstr("\n"))));
  spec_.evaluate = config::IdxPair{spec_.train.images, "file://" + At("none")};
  WriteGzip("labels.gz", std::string("\0\0\10\1\0\0\0\6\0\1\2\0\1\2", 14));
  EXPECT_THAT(std::string(Read().message()), StartsWith("spec.data.evaluate.labels: "));
}

// The check at the submission believes what a gzip file says of its size; this does not.
TEST_F(JobDataTest, CutShortWithAPlausibleEnd_IsRefusedWithItsName) {
  CutKeepingTheEnd("images.gz");
  absl::Status status = Read();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(StartsWith("spec.data.train.images: file://" + At("images.gz")),
                    HasSubstr("the gzip data is damaged or cut short"),
                    HasSubstr("copy the file again"), Not(HasSubstr("every machine"))));
}

}  // namespace
}  // namespace coxswain::trainer
