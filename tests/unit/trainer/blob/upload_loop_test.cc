#include "trainer/blob/upload_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "tests/fakes/blob/fake_blob_store.h"
#include "tests/unit/trainer/blob/sample_state.h"

namespace coxswain::trainer::blob {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kUri[] = "fake://ckpt/j1/step-1";
constexpr RetryPolicy kQuick{std::chrono::microseconds(50), std::chrono::microseconds(50),
                             base::seconds(60)};

class UploadLoopTest : public ::testing::Test {
 protected:
  std::unique_ptr<UploadLoop> Loop(RetryPolicy policy) {
    StoreSettings settings;
    settings.open = [blobs = blobs_](std::string_view uri) {
      return std::make_unique<fakes::FakeBlobStore>(std::string(uri), blobs);
    };
    return std::make_unique<UploadLoop>(std::move(settings), policy);
  }
  std::future<absl::Status> AddShard(UploadLoop& loop, std::string uri = kUri) {
    auto result = std::make_shared<std::promise<absl::Status>>();
    loop.AddShard(std::move(uri), state_.Shard(0, 1),
                  [result](absl::Status status) { result->set_value(std::move(status)); });
    return result->get_future();
  }

  std::shared_ptr<fakes::FakeBlobs> blobs_ = std::make_shared<fakes::FakeBlobs>();
  SampleState state_{1};
};

TEST_F(UploadLoopTest, ShardManifestCommitted_IsACheckpoint) {
  auto loop = Loop(kQuick);
  std::promise<absl::Status> committed;
  loop->AddShard(kUri, state_.Shard(0, 1), [&](absl::Status) {
    loop->AddManifest(kUri, state_.ManifestOf(1), [&](absl::StatusOr<std::string> hash) {
      loop->AddCommitted(kUri, hash.value(),
                         [&](absl::Status status) { committed.set_value(std::move(status)); });
    });
  });
  EXPECT_TRUE(committed.get_future().get().ok());
  StoreSettings settings;
  settings.open = [&](std::string_view uri) {
    return std::make_unique<fakes::FakeBlobStore>(std::string(uri), blobs_);
  };
  EXPECT_TRUE(state_.Equals(ReadCheckpoint(kUri, settings, {}).value()));
}

TEST_F(UploadLoopTest, Outage_IsRetriedAndTold) {
  std::promise<void> seen, go;
  std::shared_future<void> may_go(go.get_future());
  std::atomic<int> operations = 0;
  blobs_->FailNext(30, absl::UnavailableError("connection refused"));
  blobs_->OnOperation([&, may_go] {
    if (++operations != 20) return;
    seen.set_value();
    may_go.wait();
  });
  auto loop = Loop(kQuick);
  std::future<absl::Status> done = AddShard(*loop);
  seen.get_future().wait();
  EXPECT_THAT(loop->waiting_for(),
              AllOf(HasSubstr("checkpoint store fake://ckpt/j1/step-1 unreachable since "),
                    HasSubstr(": connection refused")));
  EXPECT_EQ(loop->pending(), 1u);
  go.set_value();
  EXPECT_TRUE(done.get().ok());
  EXPECT_GT(operations, 30);
}

TEST_F(UploadLoopTest, LostAnswer_IsWrittenAgainWithTheSameBytes) {
  blobs_->LoseNextAnswer();
  auto loop = Loop(kQuick);
  EXPECT_TRUE(AddShard(*loop).get().ok());
  EXPECT_EQ(blobs_->objects().begin()->second, state_.Shard(0, 1)->bytes());
}

TEST_F(UploadLoopTest, ErrorForGood_IsNotRetried) {
  blobs_->FailNext(1, absl::PermissionDeniedError("AccessDenied"));
  auto loop = Loop(kQuick);
  EXPECT_EQ(AddShard(*loop).get().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(UploadLoopTest, TroubleTooLong_GivesUpAndSaysSo) {
  blobs_->FailNext(1 << 30, absl::UnavailableError("connection refused"));
  auto loop =
      Loop({std::chrono::microseconds(50), std::chrono::microseconds(50), base::milliseconds(3)});
  absl::Status status = AddShard(*loop).get();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("connection refused (gave up after"));
}

TEST_F(UploadLoopTest, Cancel_EndsAPauseAtOnceAndLeavesOthers) {
  std::promise<void> failing;
  std::atomic<int> operations = 0;
  blobs_->FailNext(1, absl::UnavailableError("connection refused"));
  blobs_->OnOperation([&] {
    if (++operations == 1) failing.set_value();
  });
  auto loop = Loop({base::seconds(3600), base::seconds(3600), base::seconds(36000)});
  std::future<absl::Status> first = AddShard(*loop);
  std::future<absl::Status> other = AddShard(*loop, "fake://ckpt/j1/step-2");
  failing.get_future().wait();
  loop->Cancel(kUri);
  EXPECT_EQ(first.get().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(other.get().ok());
}

TEST_F(UploadLoopTest, Destroyed_EveryJobHears) {
  blobs_->FailNext(1 << 30, absl::UnavailableError("connection refused"));
  auto loop = Loop({base::seconds(3600), base::seconds(3600), base::seconds(36000)});
  std::future<absl::Status> first = AddShard(*loop), second = AddShard(*loop);
  loop.reset();
  EXPECT_EQ(first.get().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(second.get().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace coxswain::trainer::blob
