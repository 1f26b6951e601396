#include "trainer/blob/checkpoint_io.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/blob/fake_blob_store.h"
#include "tests/unit/trainer/blob/sample_state.h"

namespace coxswain::trainer::blob {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kUri[] = "fake://ckpt/j12/step-500";

class CheckpointTest : public ::testing::Test {
 protected:
  CheckpointTest() {
    settings_.open = [this](std::string_view uri) {
      return std::make_unique<fakes::FakeBlobStore>(std::string(uri), blobs_);
    };
    settings_.patience = std::make_shared<Patience>(
        RetryPolicy{std::chrono::microseconds(10), std::chrono::microseconds(10), base::seconds(5)},
        "checkpoint store");
  }
  void Save(uint32_t world_size) {
    auto store = OpenStore(kUri, settings_).value();
    hash_ = state_.Save(*store, world_size).value();
    ASSERT_TRUE(StoreCommitted(*store, hash_).ok());
  }
  // The reason for a refusal, which must count as `code`.
  std::string Refusal(absl::StatusCode code, ReadOptions options = {}) {
    absl::StatusOr<RestoredState> read = ReadCheckpoint(kUri, settings_, options);
    EXPECT_EQ(read.status().code(), code) << read.status();
    absl::Status verified = VerifyCheckpoint(kUri, settings_, options).status();
    if (code == absl::StatusCode::kDataLoss) {
      EXPECT_EQ(verified, read.status());
    }
    EXPECT_EQ(IsCorrupt(read.status()),
              code == absl::StatusCode::kDataLoss || code == absl::StatusCode::kNotFound);
    return std::string(read.status().message());
  }
  std::string At(std::string name) { return std::string(kUri) + "/" + name; }

  std::shared_ptr<fakes::FakeBlobs> blobs_ = std::make_shared<fakes::FakeBlobs>();
  StoreSettings settings_;
  SampleState state_{7};
  std::string hash_;
};

TEST_F(CheckpointTest, AnyWorldSize_RestoresTheSameBytes) {
  for (uint32_t world_size : {1, 2, 3, 8, 64}) {
    blobs_ = std::make_shared<fakes::FakeBlobs>();
    Save(world_size);
    absl::StatusOr<RestoredState> restored = ReadCheckpoint(kUri, settings_, {});
    ASSERT_TRUE(restored.ok()) << restored.status();
    EXPECT_TRUE(state_.Equals(*restored)) << world_size;
    EXPECT_EQ(restored->info, state_.ManifestOf(world_size).info);
    EXPECT_EQ(restored->manifest_hash, hash_);
    EXPECT_EQ(restored->Find("mask"), 4);
    EXPECT_EQ(restored->Find("nothing"), -1);
  }
}

TEST_F(CheckpointTest, Verify_CountsBytesAndNotesCommitted) {
  auto store = OpenStore(kUri, settings_).value();
  hash_ = state_.Save(*store, 2).value();
  absl::StatusOr<VerifiedCheckpoint> verified = VerifyCheckpoint(kUri, settings_, {});
  ASSERT_TRUE(verified.ok()) << verified.status();
  EXPECT_FALSE(verified->committed);
  EXPECT_EQ(verified->manifest_hash, hash_);
  EXPECT_EQ(verified->bytes,
            state_.Shard(0, 2)->bytes().size() + state_.Shard(1, 2)->bytes().size());
  ASSERT_TRUE(StoreCommitted(*store, hash_).ok());
  EXPECT_TRUE(VerifyCheckpoint(kUri, settings_, {}).value().committed);
}

TEST_F(CheckpointTest, MissingShard_IsNamed) {
  Save(2);
  blobs_->Remove(At("rank-00001.safetensors"));
  EXPECT_THAT(
      Refusal(absl::StatusCode::kDataLoss),
      AllOf(HasSubstr("step-500/rank-00001.safetensors is missing"), HasSubstr("expected")));
}

TEST_F(CheckpointTest, TruncatedShard_FoundAndExpectedBytes) {
  Save(2);
  uint64_t bytes = state_.Shard(1, 2)->bytes().size();
  blobs_->Truncate(At("rank-00001.safetensors"), 100);
  EXPECT_THAT(Refusal(absl::StatusCode::kDataLoss),
              HasSubstr("rank-00001.safetensors is truncated: found 100 bytes, expected " +
                        std::to_string(bytes)));
}

TEST_F(CheckpointTest, FlippedBitAnywhere_FoundAndExpectedHash) {
  Save(2);
  uint64_t bytes = state_.Shard(0, 2)->bytes().size();
  for (uint64_t offset = 0; offset < bytes; offset += offset < 1000 ? 7 : 197) {
    blobs_->FlipBit(At("rank-00000.safetensors"), offset);
    std::string refusal = Refusal(absl::StatusCode::kDataLoss);
    EXPECT_THAT(refusal, AllOf(HasSubstr("rank-00000.safetensors is corrupt: found hash "),
                               HasSubstr("expected " + state_.Shard(0, 2)->shard().hash)))
        << offset;
    blobs_->FlipBit(At("rank-00000.safetensors"), offset);
  }
}

TEST_F(CheckpointTest, ChangedManifest_IsSaid) {
  Save(2);
  blobs_->FlipBit(At("manifest.json"), 40);
  EXPECT_THAT(Refusal(absl::StatusCode::kDataLoss),
              AllOf(HasSubstr("manifest.json was changed"), HasSubstr("expected " + hash_)));
  blobs_->Remove(At("committed"));
  EXPECT_THAT(Refusal(absl::StatusCode::kDataLoss, {.manifest_hash = hash_}),
              HasSubstr("expected " + hash_));
}

TEST_F(CheckpointTest, ShardOfAnotherSave_DoesNotPass) {
  Save(2);
  blobs_->Write(At("rank-00001.safetensors"), std::string(SampleState(8).Shard(1, 2)->bytes()));
  EXPECT_THAT(Refusal(absl::StatusCode::kDataLoss), HasSubstr("is corrupt: found hash"));
}

TEST_F(CheckpointTest, ShardsThatLeaveAGap_AreRefusedThoughTheirHashesMatch) {
  auto store = OpenStore(kUri, settings_).value();
  Manifest manifest = state_.ManifestOf(2);
  manifest.shards.pop_back();
  ASSERT_TRUE(StoreShard(*store, *state_.Shard(0, 2)).ok());
  ASSERT_TRUE(StoreCommitted(*store, StoreManifest(*store, manifest).value()).ok());
  EXPECT_THAT(Refusal(absl::StatusCode::kDataLoss), HasSubstr("hold bytes 0 to "));
}

TEST_F(CheckpointTest, Uncommitted_OnlyWhenAllowedOrRecorded) {
  auto store = OpenStore(kUri, settings_).value();
  hash_ = state_.Save(*store, 2).value();
  EXPECT_THAT(Refusal(absl::StatusCode::kFailedPrecondition), HasSubstr("never committed"));
  EXPECT_TRUE(ReadCheckpoint(kUri, settings_, {.allow_uncommitted = true}).ok());
  EXPECT_TRUE(ReadCheckpoint(kUri, settings_, {.manifest_hash = hash_}).ok());
}

TEST_F(CheckpointTest, NoCheckpoint_IsNotFound) {
  EXPECT_THAT(Refusal(absl::StatusCode::kNotFound), HasSubstr("no checkpoint at fake://ckpt/j12"));
}

TEST_F(CheckpointTest, UnreachableForAWhile_IsReadAllTheSame) {
  Save(2);
  blobs_->FailNext(5, absl::UnavailableError("connection refused"));
  EXPECT_TRUE(ReadCheckpoint(kUri, settings_, {}).ok());
}

TEST_F(CheckpointTest, UnreachableForGood_IsNotCorrupt) {
  Save(2);
  settings_.patience = std::make_shared<Patience>(
      RetryPolicy{std::chrono::microseconds(10), std::chrono::microseconds(10), base::Duration(0)},
      "checkpoint store");
  blobs_->FailNext(1000, absl::UnavailableError("connection refused"));
  EXPECT_THAT(Refusal(absl::StatusCode::kUnavailable), HasSubstr("connection refused"));
}

TEST_F(CheckpointTest, Manifest_IsNotWrittenBeforeEveryShardIsThere) {
  auto store = OpenStore(kUri, settings_).value();
  ASSERT_TRUE(StoreShard(*store, *state_.Shard(0, 2)).ok());
  absl::Status status = StoreManifest(*store, state_.ManifestOf(2)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("rank-00001.safetensors is missing"));
  EXPECT_FALSE(blobs_->objects().count(At("manifest.json")));
}

TEST_F(CheckpointTest, TornWrite_IsNotAcknowledged) {
  auto store = OpenStore(kUri, settings_).value();
  blobs_->TearNext(1);
  EXPECT_EQ(StoreShard(*store, *state_.Shard(0, 2)).code(), absl::StatusCode::kDataLoss);
}

TEST_F(CheckpointTest, Committed_TwiceIsFineButNotForAnotherManifest) {
  Save(1);
  auto store = OpenStore(kUri, settings_).value();
  EXPECT_TRUE(StoreCommitted(*store, hash_).ok());
  EXPECT_EQ(StoreCommitted(*store, "0000000000000000").code(), absl::StatusCode::kDataLoss);
}

TEST_F(CheckpointTest, Model_IsPlainSafetensors) {
  auto store = OpenStore(kUri, settings_).value();
  auto copy = [&](const Piece& piece, char* to) { state_.CopyTo(piece, to); };
  absl::StatusOr<protocol::Shard> stored =
      StoreModel(*store, "model.safetensors", state_.tensors, {{"format", "pt"}}, copy);
  ASSERT_TRUE(stored.ok()) << stored.status();
  std::string bytes = store->Get("model.safetensors").value();
  EXPECT_EQ(stored->bytes, bytes.size());
  EXPECT_EQ(stored->hash, HashHex(bytes));
  EXPECT_THAT(bytes,
              HasSubstr(R"("conv.bias":{"dtype":"F64","shape":[3],"data_offsets":[6868,6892]})"));
  EXPECT_TRUE(bytes.ends_with(state_.data.back()));
}

}  // namespace
}  // namespace coxswain::trainer::blob
