#include "worker/runtime/code_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "common/code/archive.h"
#include "common/code/code_id.h"

namespace coxswain::worker {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// Gives an archive in small parts; `wrong` says what goes wrong next.
class Source final : public CodeSource {
 public:
  explicit Source(std::string archive) : archive_(std::move(archive)) {}

  absl::StatusOr<code::CodePart> Read(const std::string&, uint64_t offset) override {
    std::lock_guard lock(mutex_);
    ++reads_;
    if (!wrong_.empty()) {
      const absl::Status status = wrong_.front();
      wrong_.erase(wrong_.begin());
      if (!status.ok()) return status;
      return code::CodePart{"x", archive_.size()};
    }
    return code::CodePart{archive_.substr(offset, 50), archive_.size()};
  }
  // OK: other bytes than there are.
  void GoWrong(std::vector<absl::Status> how) {
    std::lock_guard lock(mutex_);
    wrong_ = std::move(how);
  }
  int reads() {
    std::lock_guard lock(mutex_);
    return reads_;
  }

 private:
  const std::string archive_;
  std::mutex mutex_;
  std::vector<absl::Status> wrong_;  // guarded by mutex_
  int reads_ = 0;                    // guarded by mutex_
};

class CodeCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(root_);
    fs::create_directories(root_ / "src");
    std::ofstream(root_ / "src/train.py") << "print(1)\n";
    archive_ = code::Pack(root_ / "src")->archive;
    id_ = code::CodeIdOf(archive_);
    auto source = std::make_unique<Source>(archive_);
    source_ = source.get();
    cache_ = std::make_unique<CodeCache>(root_ / "code", std::move(source));
  }
  void TearDown() override {
    cache_.reset();
    fs::remove_all(root_);
  }

  // Asks until it is there, or cannot be had; `seen` gets what it said meanwhile.
  absl::StatusOr<std::string> Wait(const std::string& id, std::string* seen = nullptr) {
    while (true) {
      absl::StatusOr<std::string> path = cache_->Find(id);
      if (!absl::IsUnavailable(path.status())) return path;
      if (seen != nullptr) *seen += std::string(path.status().message()) + "\n";
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  const fs::path root_ =
      fs::path(testing::TempDir()) / ("coxswain-code-cache-test-" + std::to_string(getpid()));
  std::string archive_, id_;
  Source* source_ = nullptr;
  std::unique_ptr<CodeCache> cache_;
};

TEST_F(CodeCacheTest, AnArchiveIsFetchedOnce) {
  absl::StatusOr<std::string> path = Wait(id_);
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_EQ(fs::file_size(*path), archive_.size());
  const int reads = source_->reads();
  EXPECT_EQ(*Wait(id_), *path);
  EXPECT_EQ(source_->reads(), reads);
}

TEST_F(CodeCacheTest, ACoordinatorThatIsAwayIsAskedAgain) {
  source_->GoWrong({absl::UnavailableError("127.0.0.1:7071: Connection refused")});
  std::string seen;
  EXPECT_TRUE(Wait(id_, &seen).ok());
  EXPECT_THAT(seen, HasSubstr("fetching code " + id_ + ": 127.0.0.1:7071: Connection refused"));
}

TEST_F(CodeCacheTest, WhatIsNotThereIsSaidAndAskedForAgain) {
  source_->GoWrong({absl::NotFoundError("there is no code")});
  EXPECT_EQ(Wait(id_).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(Wait(id_).ok());
  EXPECT_EQ(Wait("sha256:1").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(CodeCacheTest, WhatComesDamagedIsFetchedAgain) {
  source_->GoWrong({absl::OkStatus()});
  std::string seen;
  EXPECT_TRUE(Wait(id_, &seen).ok());
  EXPECT_THAT(seen, HasSubstr("the bytes that came are "));
}

TEST_F(CodeCacheTest, ACacheThatEndsWaitsForNobody) {
  source_->GoWrong(std::vector<absl::Status>(1000, absl::UnavailableError("away")));
  EXPECT_TRUE(absl::IsUnavailable(cache_->Find(id_).status()));
  cache_.reset();
}

}  // namespace
}  // namespace coxswain::worker
