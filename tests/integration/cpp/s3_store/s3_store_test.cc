// The store tests and a checkpoint's life against the S3 store named by COXSWAIN_TEST_STORE.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <future>
#include <iostream>
#include <random>

#include "tests/unit/trainer/blob/sample_state.h"
#include "tests/unit/trainer/blob/store_conformance.h"
#include "trainer/blob/upload_loop.h"

namespace coxswain::trainer::blob {
namespace {

std::string Base() {
  const char* base = getenv("COXSWAIN_TEST_STORE");
  return base ? base : "";
}

// A prefix that no other test or run uses.
std::string FreshUri() {
  static std::atomic<int> count = 0;
  std::random_device random;
  return Base() + "/t" + std::to_string(count++) + "-" + std::to_string(random());
}

StoreUnderTest S3() {
  std::string base = FreshUri();
  return {"s3", [base](const std::string& folder) {
            absl::StatusOr<std::unique_ptr<BlobStore>> store = OpenStore(base + "/" + folder, {});
            EXPECT_TRUE(store.ok()) << store.status();
            return *std::move(store);
          }};
}

INSTANTIATE_TEST_SUITE_P(S3, StoreConformance, ::testing::Values(S3));

TEST(S3Checkpoint, SavedRestoredAndVerified) {
  std::string uri = FreshUri();
  SampleState state(11, 200'000);  // some 14 MB: two parts a shard
  auto store = OpenStore(uri, {}).value();
  absl::StatusOr<std::string> hash = state.Save(*store, 2);
  ASSERT_TRUE(hash.ok()) << hash.status();
  ASSERT_TRUE(StoreCommitted(*store, *hash).ok());
  ASSERT_TRUE(StoreCommitted(*store, *hash).ok());  // said again after a lost answer
  absl::StatusOr<RestoredState> restored = ReadCheckpoint(uri, {}, {});
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_TRUE(state.Equals(*restored));
  EXPECT_TRUE(VerifyCheckpoint(uri, {}, {}).value().committed);
}

TEST(S3Checkpoint, SavedWhereTold) {
  const char* uri = getenv("COXSWAIN_TEST_SAVE");
  if (!uri) GTEST_SKIP() << "only with a place to save to";
  auto store = OpenStore(uri, {}).value();
  absl::StatusOr<std::string> hash = SampleState(15).Save(*store, 2);
  ASSERT_TRUE(hash.ok()) << hash.status();
  ASSERT_TRUE(StoreCommitted(*store, *hash).ok());
}

TEST(S3Checkpoint, MissingAndReplacedShards_AreNamed) {
  std::string uri = FreshUri();
  SampleState state(12);
  auto store = OpenStore(uri, {}).value();
  ASSERT_TRUE(StoreCommitted(*store, state.Save(*store, 2).value()).ok());
  ASSERT_TRUE(store->Put("rank-00001.safetensors", SampleState(13).Shard(1, 2)->bytes()).ok());
  absl::Status replaced = ReadCheckpoint(uri, {}, {}).status();
  EXPECT_TRUE(IsCorrupt(replaced));
  EXPECT_THAT(std::string(replaced.message()),
              ::testing::HasSubstr("rank-00001.safetensors is corrupt: found hash"));
  ASSERT_TRUE(store->Delete("rank-00001.safetensors").ok());
  EXPECT_THAT(std::string(ReadCheckpoint(uri, {}, {}).status().message()),
              ::testing::HasSubstr("rank-00001.safetensors is missing"));
}

TEST(S3Errors, BucketThatIsNotThere_SaysSo) {
  auto store = OpenStore("s3://no-such-bucket-here/x", {}).value();
  absl::Status put = store->Put("a", "b");
  EXPECT_EQ(put.code(), absl::StatusCode::kNotFound) << put;
  EXPECT_THAT(std::string(put.message()), ::testing::HasSubstr("create the bucket"));
  EXPECT_EQ(store->PutIfAbsent("a", "b").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store->Delete("a").code(), absl::StatusCode::kNotFound);
}

TEST(S3Errors, NobodyListens_IsRetryableAndSaysWhere) {
  StoreSettings settings;
  settings.endpoint = "http://127.0.0.1:1";
  settings.patience = std::make_shared<Patience>(
      RetryPolicy{base::milliseconds(1), base::milliseconds(1), base::Duration(0)}, "store");
  auto store = OpenStore(Base(), settings).value();
  for (const absl::Status& status : {store->Put("a", "b"), store->PutIfAbsent("a", "b"),
                                     store->Get("a").status(), store->List("").status()}) {
    EXPECT_TRUE(IsRetryable(status)) << status;
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("http://127.0.0.1:1"));
  }
}

// Uploads 60 MB and prints what is waited for; the test stops the gateway meanwhile.
TEST(S3Outage, UploadOutlivesIt) {
  if (!getenv("COXSWAIN_TEST_OUTAGE")) GTEST_SKIP() << "only with a gateway that is stopped";
  std::string uri = FreshUri();
  SampleState state(14, 900'000);
  auto shard = state.Shard(0, 1);
  std::cout << "ready" << std::endl;
  std::string line;
  std::getline(std::cin, line);  // "stopped"
  UploadLoop loop({});
  std::promise<absl::Status> done;
  loop.AddShard(uri, shard, [&](absl::Status status) { done.set_value(std::move(status)); });
  std::future<absl::Status> result = done.get_future();
  std::string waiting;
  while (result.wait_for(std::chrono::milliseconds(20)) != std::future_status::ready) {
    if (std::string now = loop.waiting_for(); now.empty() != waiting.empty()) {
      std::cout << "waiting: " << now << std::endl;
      waiting = now;
    }
  }
  absl::Status status = result.get();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(OpenStore(uri, {}).value()->Get(shard->shard().object).value(), shard->bytes());
}

}  // namespace
}  // namespace coxswain::trainer::blob
