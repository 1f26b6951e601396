// What every BlobStore must do, whatever is behind it. A test program instantiates StoreConformance
// with the ways to open its stores.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "trainer/blob/blob_store.h"

namespace coxswain::trainer::blob {

struct StoreUnderTest {
  std::string name;
  // A store at `folder`, below a place that is empty when the test begins; stores of one folder see
  // the same objects.
  std::function<std::unique_ptr<BlobStore>(const std::string& folder)> open;
};

class StoreConformance : public ::testing::TestWithParam<std::function<StoreUnderTest()>> {
 protected:
  void SetUp() override {
    under_test_ = GetParam()();
    store_ = Open("top");
  }
  std::unique_ptr<BlobStore> Open(const std::string& folder) { return under_test_.open(folder); }
  static std::vector<std::string> Names(BlobStore& store, const std::string& prefix) {
    std::vector<std::string> names;
    absl::StatusOr<std::vector<BlobInfo>> found = store.List(prefix);
    EXPECT_TRUE(found.ok()) << found.status();
    if (found.ok()) {
      for (const BlobInfo& info : *found) names.push_back(info.name);
    }
    return names;
  }
  // More than two parts of an upload, without a pattern that a shifted copy would match.
  static std::string LargeBytes() {
    std::string bytes(21'000'003, '\0');
    for (size_t i = 0; i < bytes.size(); i += 8) {
      uint64_t word = i * 0x9e3779b97f4a7c15ull;
      bytes.replace(i, std::min<size_t>(8, bytes.size() - i), reinterpret_cast<char*>(&word),
                    std::min<size_t>(8, bytes.size() - i));
    }
    return bytes;
  }

  StoreUnderTest under_test_;
  std::unique_ptr<BlobStore> store_;
};

TEST_P(StoreConformance, PutThenGet_SameBytesFromAnotherStore) {
  ASSERT_TRUE(store_->Put("a/b.bin", std::string("x\0y", 3)).ok());
  auto other = Open("top");
  EXPECT_EQ(other->Get("a/b.bin").value(), std::string("x\0y", 3));
  EXPECT_EQ(other->Size("a/b.bin").value(), 3u);
}

TEST_P(StoreConformance, PutAgain_Replaces) {
  ASSERT_TRUE(store_->Put("a", "first, and longer").ok());
  ASSERT_TRUE(store_->Put("a", "second").ok());
  EXPECT_EQ(store_->Get("a").value(), "second");
}

TEST_P(StoreConformance, EmptyObject_Exists) {
  ASSERT_TRUE(store_->Put("empty", "").ok());
  EXPECT_EQ(store_->Size("empty").value(), 0u);
  EXPECT_EQ(store_->Get("empty").value(), "");
}

TEST_P(StoreConformance, PutIfAbsent_SecondIsRefused) {
  ASSERT_TRUE(store_->PutIfAbsent("once", "first").ok());
  EXPECT_EQ(store_->PutIfAbsent("once", "second").code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(store_->Get("once").value(), "first");
}

TEST_P(StoreConformance, Absent_IsNotFound) {
  char byte;
  EXPECT_EQ(store_->Get("none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->Size("no/ne").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->GetRange("none", 0, &byte, 1).code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(store_->Get("none").status().message()), ::testing::HasSubstr("none"));
}

TEST_P(StoreConformance, GetRange_MiddleEndAndPast) {
  ASSERT_TRUE(store_->Put("r", "0123456789").ok());
  char to[11] = {};
  ASSERT_TRUE(store_->GetRange("r", 3, to, 4).ok());
  EXPECT_EQ(std::string(to, 4), "3456");
  ASSERT_TRUE(store_->GetRange("r", 9, to, 1).ok());
  EXPECT_EQ(to[0], '9');
  EXPECT_EQ(store_->GetRange("r", 8, to, 3).code(), absl::StatusCode::kOutOfRange);
}

TEST_P(StoreConformance, WrittenInParts_WholeAndOnlyAfterCommit) {
  std::string bytes = LargeBytes();
  auto writer = store_->Create("deep/er/large");
  ASSERT_TRUE(writer.ok()) << writer.status();
  std::string_view rest = bytes;
  while (!rest.empty()) {
    std::string_view part = rest.substr(0, 7'000'001);
    ASSERT_TRUE((*writer)->Write(part).ok());
    rest.remove_prefix(part.size());
  }
  EXPECT_EQ(store_->Size("deep/er/large").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Names(*store_, ""), ::testing::IsEmpty());
  absl::Status committed = (*writer)->Commit();
  ASSERT_TRUE(committed.ok()) << committed;
  EXPECT_TRUE(store_->Get("deep/er/large").value() == bytes);
}

TEST_P(StoreConformance, WriterDropped_LeavesNothing) {
  {
    auto writer = store_->Create("dropped");
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->Write(LargeBytes()).ok());
  }
  EXPECT_THAT(Names(*store_, ""), ::testing::IsEmpty());
  EXPECT_EQ(store_->AbortUploads("").value(), 0u);
}

TEST_P(StoreConformance, AbortUploads_DropsUnfinishedOnesBelowThePrefix) {
  auto inside = store_->Create("job/one"), outside = store_->Create("job2/two");
  ASSERT_TRUE(inside.ok() && outside.ok());
  ASSERT_TRUE((*inside)->Write(LargeBytes()).ok());
  ASSERT_TRUE((*outside)->Write(LargeBytes()).ok());
  EXPECT_EQ(Open("top")->AbortUploads("job").value(), 1u);
  EXPECT_FALSE((*inside)->Commit().ok());
  EXPECT_TRUE((*outside)->Commit().ok());
  EXPECT_THAT(Names(*store_, ""), ::testing::ElementsAre("job2/two"));
}

TEST_P(StoreConformance, List_AscendingAndByWholeSegments) {
  for (const char* name : {"b/2", "b/10", "a", "bb/1", "b/c/d"}) {
    ASSERT_TRUE(store_->Put(name, "x").ok());
  }
  EXPECT_THAT(Names(*store_, ""), ::testing::ElementsAre("a", "b/10", "b/2", "b/c/d", "bb/1"));
  EXPECT_THAT(Names(*store_, "b"), ::testing::ElementsAre("b/10", "b/2", "b/c/d"));
  EXPECT_THAT(Names(*store_, "none"), ::testing::IsEmpty());
}

TEST_P(StoreConformance, Delete_GoneAndHarmlessTwice) {
  ASSERT_TRUE(store_->Put("d/e/f", "x").ok());
  ASSERT_TRUE(store_->Put("d/g", "x").ok());
  ASSERT_TRUE(store_->Delete("d/e/f").ok());
  ASSERT_TRUE(store_->Delete("d/e/f").ok());
  EXPECT_THAT(Names(*store_, ""), ::testing::ElementsAre("d/g"));
  ASSERT_TRUE(store_->Put("d/e/f", "again").ok());
  EXPECT_EQ(store_->Get("d/e/f").value(), "again");
}

TEST_P(StoreConformance, NamesThatCannotBe_AreRefused) {
  for (const char* name : {"", "/a", "a/", "a//b", "../a", "a/../b", ".", ".hidden"}) {
    EXPECT_EQ(store_->Put(name, "x").code(), absl::StatusCode::kInvalidArgument) << name;
  }
  EXPECT_EQ(store_->Get("../a").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(store_->List("..").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(StoreConformance, ManyThreads_EachObjectWhole) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int j = 0; j < 4; ++j) {
        std::string name = "t" + std::to_string(i) + "/" + std::to_string(j);
        EXPECT_TRUE(store_->Put(name, std::string(1000 + i, 'a' + j)).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Names(*store_, "").size(), 16u);
  EXPECT_EQ(store_->Get("t3/2").value(), std::string(1003, 'c'));
}

}  // namespace coxswain::trainer::blob
