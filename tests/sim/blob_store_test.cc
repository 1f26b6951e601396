#include "sim/blob_store.h"

#include <gtest/gtest.h>

namespace coxswain::sim {
namespace {

struct BlobStoreTest : testing::Test {
  void SetUp() override {
    TrainState state{.step = 4, .position = 40, .used = 40, .history = 9};
    Blob manifest{.hash = "m", .step = 4, .position = 40};
    for (base::Rank rank : {0u, 1u}) {
      protocol::Shard shard{rank, ShardName(rank), 100, "h" + std::to_string(rank)};
      blobs.Put("s3", "s3://b/c1", shard.object, {.state = state, .hash = shard.hash});
      manifest.shards.push_back(shard);
    }
    blobs.Put("s3", "s3://b/c1", "manifest", manifest);
  }
  Reading Read(const std::string& hash) { return blobs.Read("s3", "s3://b/c1", hash, true); }
  BlobStore blobs{false};
};

TEST_F(BlobStoreTest, WholeCheckpoint_ReadsBack) {
  Reading reading = Read("m");
  EXPECT_EQ(reading.verdict, Reading::kWhole);
  EXPECT_TRUE(reading.consistent);
  EXPECT_EQ(reading.position, 40);
}

TEST_F(BlobStoreTest, AnotherHash_IsCorrupt) {
  EXPECT_EQ(Read("other").verdict, Reading::kCorrupt);
}

TEST_F(BlobStoreTest, DamagedShard_IsCorruptAndRemembered) {
  std::string uri;
  ASSERT_TRUE(blobs.DamageOne(0, &uri));
  EXPECT_EQ(uri, "s3://b/c1");
  EXPECT_TRUE(blobs.EverDamaged(uri));
  EXPECT_EQ(Read("m").verdict, Reading::kCorrupt);
}

TEST_F(BlobStoreTest, ShardsOfTwoStates_AreNotConsistent) {
  TrainState other{.step = 4, .position = 40, .used = 40, .history = 10};
  blobs.Put("s3", "s3://b/c1", ShardName(1), {.state = other, .hash = "h1"});
  EXPECT_FALSE(Read("m").consistent);
}

TEST_F(BlobStoreTest, NoHash_NeedsTheCommittedObject) {
  EXPECT_EQ(blobs.Read("s3", "s3://b/c1", "", false).verdict, Reading::kUncommitted);
  blobs.Put("s3", "s3://b/c1", "committed", {});
  EXPECT_EQ(blobs.Read("s3", "s3://b/c1", "", false).verdict, Reading::kWhole);
}

TEST_F(BlobStoreTest, Files_LieOnTheMachineUnlessShared) {
  EXPECT_NE(blobs.Place("file:///x", 0), blobs.Place("file:///x", 1));
  EXPECT_EQ(blobs.Place("s3://x", 0), blobs.Place("s3://x", 1));
  EXPECT_EQ(BlobStore(true).Place("file:///x", 0), BlobStore(true).Place("file:///x", 1));
}

}  // namespace
}  // namespace coxswain::sim
