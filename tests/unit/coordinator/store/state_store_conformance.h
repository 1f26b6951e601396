// What every StateStore must do, whatever is behind it. Instantiate it with a factory:
//   INSTANTIATE_TEST_SUITE_P(Sqlite, StateStoreConformance, testing::Values(&OpenThatStore));
#pragma once

#include <gtest/gtest.h>

#include <filesystem>

#include "coordinator/store/state_store.h"

namespace coxswain::coordinator::store {

// Opens the store of `folder` (made by the test); the same folder again gives the same store.
using OpenStore = absl::StatusOr<std::unique_ptr<StateStore>> (*)(const std::string& folder);

class StateStoreConformance : public testing::TestWithParam<OpenStore> {
 protected:
  void SetUp() override {
    folder_ = (std::filesystem::temp_directory_path() / "cox-store-XXXXXX").string();
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
    Reopen();
  }
  void TearDown() override {
    reader_.reset();
    store_.reset();
    std::filesystem::remove_all(folder_);
  }
  void Reopen() {
    reader_.reset();
    store_.reset();
    absl::StatusOr<std::unique_ptr<StateStore>> store = GetParam()(folder_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    ASSERT_TRUE(store_->Load(core::ClusterId("first")).ok());
    absl::StatusOr<std::unique_ptr<StateReader>> reader = store_->NewReader();
    ASSERT_TRUE(reader.ok()) << reader.status();
    reader_ = *std::move(reader);
  }
  void Commit(const std::vector<core::Change>& changes) {
    absl::Status status = store_->Commit(changes);
    ASSERT_TRUE(status.ok()) << status;
  }
  core::Snapshot Load() {
    absl::StatusOr<core::Snapshot> snapshot = store_->Load(core::ClusterId("other"));
    EXPECT_TRUE(snapshot.ok()) << snapshot.status();
    return snapshot.ok() ? *snapshot : core::Snapshot();
  }
  std::vector<uint64_t> ListIds(const JobFilter& filter) {
    absl::StatusOr<std::vector<JobRecord>> jobs = reader_->ListJobs(filter);
    EXPECT_TRUE(jobs.ok()) << jobs.status();
    std::vector<uint64_t> ids;
    if (jobs.ok()) {
      for (const JobRecord& job : *jobs) ids.push_back(job.job.id.value);
    }
    return ids;
  }

  std::string folder_;
  std::unique_ptr<StateStore> store_;
  std::unique_ptr<StateReader> reader_;
};

}  // namespace coxswain::coordinator::store
