#include "common/code/code_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "common/code/archive.h"
#include "common/code/code_id.h"

namespace coxswain::code {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class CodeStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(root_);
    archive_ = PackOf("print(1)\n");
    id_ = CodeIdOf(archive_);
  }
  void TearDown() override { fs::remove_all(root_); }

  std::string PackOf(const std::string& text) const {
    fs::create_directories(root_ / "src");
    std::ofstream(root_ / "src/train.py") << text;
    return Pack(root_ / "src")->archive;
  }
  // As a client sends it.
  absl::StatusOr<uint64_t> Send(const std::string& id, const std::string& archive, size_t part) {
    uint64_t offset = 0;
    while (offset < archive.size()) {
      auto next = store_.Add(id, archive.size(), offset, archive.substr(offset, part));
      if (!next.ok()) return next;
      offset = *next;
    }
    return offset;
  }
  fs::path folder() const { return root_ / "code"; }

  const fs::path root_ =
      fs::path(testing::TempDir()) / ("coxswain-code-store-test-" + std::to_string(getpid()));
  std::string archive_, id_;
  CodeStore store_{folder()};
};

TEST_F(CodeStoreTest, AnArchiveIsThereOnceAllOfItHasCome) {
  EXPECT_FALSE(store_.Has(id_));
  EXPECT_EQ(*store_.Add(id_, archive_.size(), 0, archive_.substr(0, 10)), 10u);
  EXPECT_FALSE(store_.Has(id_));
  EXPECT_FALSE(store_.PathOf(id_).ok());
  EXPECT_EQ(*store_.Add(id_, archive_.size(), 10, archive_.substr(10)), archive_.size());
  EXPECT_TRUE(store_.Has(id_));
  EXPECT_EQ(store_.Read(id_, 0, 1 << 20)->data, archive_);
  EXPECT_EQ(store_.Read(id_, 5, 7)->data, archive_.substr(5, 7));
  EXPECT_EQ(store_.Read(id_, 5, 7)->total_bytes, archive_.size());
  EXPECT_TRUE(Unpack(store_.Read(id_, 0, 1 << 20)->data, root_ / "out").ok());
}

TEST_F(CodeStoreTest, WhoeverSendsGoesOnFromWhatIsThere) {
  EXPECT_EQ(*store_.Add(id_, archive_.size(), 0, ""), 0u);
  EXPECT_EQ(*store_.Add(id_, archive_.size(), 0, archive_.substr(0, 10)), 10u);
  EXPECT_EQ(*store_.Add(id_, archive_.size(), 0, archive_.substr(0, 10)), 10u) << "repeated";
  EXPECT_EQ(*store_.Add(id_, archive_.size(), 20, archive_.substr(20)), 10u) << "too early";
  CodeStore next_life(folder());
  EXPECT_EQ(*next_life.Add(id_, archive_.size(), 0, ""), 10u);
  EXPECT_EQ(*next_life.Add(id_, archive_.size(), 10, archive_.substr(10)), archive_.size());
  EXPECT_EQ(*store_.Add(id_, archive_.size(), 0, ""), archive_.size()) << "nothing to send";
}

TEST_F(CodeStoreTest, OtherBytesThanTheNameSaysAreDropped) {
  std::string other = archive_;
  other.back() ^= 1;
  EXPECT_THAT(Send(id_, other, 16).status().message(),
              HasSubstr("the bytes that came are sha256:"));
  EXPECT_FALSE(store_.Has(id_));
  EXPECT_EQ(*Send(id_, archive_, 16), archive_.size());
  const std::string text = "no archive at all";
  EXPECT_THAT(Send(CodeIdOf(text), text, 100).status().message(), HasSubstr("cannot be read"));
  EXPECT_FALSE(store_.Has(CodeIdOf(text)));
}

TEST_F(CodeStoreTest, NamesAndSizesAreChecked) {
  auto why = [&](const std::string& id, uint64_t total, uint64_t offset, const std::string& data) {
    return std::string(store_.Add(id, total, offset, data).status().message());
  };
  EXPECT_THAT(why("sha256:12", 5, 0, "12345"), HasSubstr("found 'sha256:12', expected sha256:"));
  EXPECT_THAT(why("sha256:../../x", 5, 0, "12345"), HasSubstr("expected sha256:"));
  EXPECT_THAT(why(id_, 0, 0, ""), HasSubstr("an archive of 0 bytes"));
  EXPECT_THAT(why(id_, kMostArchiveBytes + 1, 0, ""), HasSubstr("expected 1 to "));
  EXPECT_THAT(why(id_, 3, 0, "12345"), HasSubstr("byte 5 of an archive of 3"));
  EXPECT_EQ(store_.Read(id_, 0, 1).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(*Send(id_, archive_, 1000), archive_.size());
  EXPECT_EQ(store_.Read(id_, archive_.size() + 1, 1).status().code(),
            absl::StatusCode::kOutOfRange);
  EXPECT_EQ(CodeStore("").Add(id_, 5, 0, "").status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(CodeStoreTest, WhatNobodyUsesGoesInTime) {
  const std::string other = PackOf("print(2)\n"), third = PackOf("print(3)\n");
  for (const std::string& archive : {archive_, other})
    ASSERT_TRUE(Send(CodeIdOf(archive), archive, 9).ok());
  EXPECT_EQ(*store_.Add(CodeIdOf(third), third.size(), 0, third.substr(0, 4)), 4u);
  EXPECT_THAT(store_.RemoveUnused({}, std::chrono::hours(1)), ElementsAre());
  for (const auto& file : fs::directory_iterator(folder())) {
    fs::last_write_time(file.path(), fs::file_time_type::clock::now() - std::chrono::hours(2));
  }
  EXPECT_TRUE(store_.PathOf(CodeIdOf(other)).ok());  // used now
  EXPECT_THAT(store_.RemoveUnused({}, std::chrono::hours(1)), ElementsAre(id_));
  EXPECT_FALSE(store_.Has(id_));
  EXPECT_TRUE(store_.Has(CodeIdOf(other)));
  EXPECT_EQ(*store_.Add(CodeIdOf(third), third.size(), 0, ""), 0u) << "its beginning is gone too";
  for (const auto& file : fs::directory_iterator(folder())) {
    fs::last_write_time(file.path(), fs::file_time_type::clock::now() - std::chrono::hours(2));
  }
  EXPECT_THAT(store_.RemoveUnused({CodeIdOf(other)}, std::chrono::hours(1)), ElementsAre());
  EXPECT_TRUE(store_.Has(CodeIdOf(other)));
}

}  // namespace
}  // namespace coxswain::code
