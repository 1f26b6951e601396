#include "trainer/program/file_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/fakes/blob/fake_blob_store.h"

namespace coxswain::trainer::program {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr char kUri[] = "fake://ckpt/j1/step-1";

class FileSetTest : public ::testing::Test {
 protected:
  FileSetTest()
      : folder_(fs::path(::testing::TempDir()) /
                ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    settings_.open = [blobs = blobs_](std::string_view uri) {
      return std::make_unique<fakes::FakeBlobStore>(std::string(uri), blobs);
    };
  }
  ~FileSetTest() override { fs::remove_all(folder_); }

  void Write(const std::string& path, const std::string& text) {
    fs::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path) << text;
  }
  std::string Text(const std::string& path) {
    std::ifstream file(folder_ / path);
    return file ? std::string(std::istreambuf_iterator<char>(file), {}) : "(missing)";
  }
  // As the ranks of a job would: each stores its share, rank 0 the manifest.
  void Save(const std::vector<FileSet>& ranks) {
    auto store = settings_.open(kUri);
    blob::Manifest manifest;
    for (const FileSet& files : ranks) {
      auto share = files.Read().value();
      ASSERT_TRUE(blob::StoreShard(*store, *share).ok());
      manifest.shards.push_back(share->shard());
    }
    ASSERT_TRUE(blob::DescribeShards(*store, &manifest).ok());
    std::string hash = blob::StoreManifest(*store, manifest).value();
    ASSERT_TRUE(blob::StoreCommitted(*store, hash).ok());
  }
  absl::Status Restore(base::Rank rank) {
    auto state = blob::ReadCheckpoint(kUri, settings_, {});
    return state.ok() ? WriteFiles(*state, rank, folder_ / "out") : state.status();
  }

  const fs::path folder_;
  std::shared_ptr<fakes::FakeBlobs> blobs_ = std::make_shared<fakes::FakeBlobs>();
  blob::StoreSettings settings_;
};

TEST_F(FileSetTest, ComesBackAsItWas) {
  Write("in/model.pt", std::string(100'000, 'x'));
  Write("in/below/empty", "");
  Write("in/below/run.sh", "#!/bin/sh\n");
  fs::permissions(folder_ / "in/below/run.sh", fs::perms(0755));
  Save({FileSet::Collect(folder_ / "in", 0).value(), FileSet(1)});
  ASSERT_TRUE(Restore(1).ok());
  EXPECT_EQ(Text("out/model.pt"), std::string(100'000, 'x'));
  EXPECT_EQ(Text("out/below/empty"), "");
  EXPECT_EQ(Text("out/below/run.sh"), "#!/bin/sh\n");
  EXPECT_EQ(fs::status(folder_ / "out/below/run.sh").permissions(), fs::perms(0755));
}

TEST_F(FileSetTest, OfSeveralRanks_EachHasAll_AndItsOwnWhereNamesAreTheSame) {
  Write("a/model", "0");
  Write("a/state", "of 0");
  Write("b/state", "of 1");
  Save({FileSet::Collect(folder_ / "a", 0).value(), FileSet::Collect(folder_ / "b", 1).value()});
  ASSERT_TRUE(Restore(1).ok());
  EXPECT_EQ(Text("out/model"), "0");
  EXPECT_EQ(Text("out/state"), "of 1");
  ASSERT_TRUE(Restore(7).ok());
  EXPECT_EQ(Text("out/state"), "of 0") << "the checkpoint has no rank 7: the lowest one's";
}

TEST_F(FileSetTest, WhatCannotBeTaken_IsNamed) {
  auto missing = FileSet::Collect(folder_ / "nowhere", 0);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("nowhere"));
  Write("in/model", "abc");
  ASSERT_EQ(mkfifo((folder_ / "in/pipe").c_str(), 0600), 0);
  EXPECT_THAT(std::string(FileSet::Collect(folder_ / "in", 0).status().message()),
              HasSubstr("in/pipe: is neither a file nor a folder"));
}

TEST_F(FileSetTest, ChangedWhileItIsRead_IsRefused) {
  Write("in/model", "abcdef");
  FileSet files = FileSet::Collect(folder_ / "in", 0).value();
  Write("in/model", "abc");
  EXPECT_THAT(std::string(files.Read().status().message()), HasSubstr("in/model: it was changed"));
}

TEST_F(FileSetTest, CheckpointOfARecipe_IsRefused) {
  blob::RestoredState state;
  state.tensors = {{"weight", blob::DType::kFloat32, {1}}};
  state.data.push_back(std::make_unique<char[]>(4));
  EXPECT_THAT(std::string(WriteFiles(state, 0, folder_ / "out").message()),
              HasSubstr("a checkpoint of a recipe"));
}

// A checkpoint given by a URI may come from anybody.
TEST_F(FileSetTest, NamesThatLeaveTheFolder_AreRefused) {
  for (const char* path : {"../x", "/etc/x", "a/../../x", ""}) {
    const std::string list = std::string(R"([{"path": ")") + path + R"(", "bytes": 0}])";
    blob::RestoredState state;
    state.tensors = {{"00000", blob::DType::kUint8, {static_cast<int64_t>(list.size())}}};
    state.data.push_back(std::make_unique<char[]>(list.size()));
    std::memcpy(state.data[0].get(), list.data(), list.size());
    EXPECT_TRUE(absl::IsDataLoss(WriteFiles(state, 0, folder_ / "out"))) << path;
  }
}

}  // namespace
}  // namespace coxswain::trainer::program
