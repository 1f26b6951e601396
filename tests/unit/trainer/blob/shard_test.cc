#include "trainer/blob/shard.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "common/base/rng.h"
#include "tests/unit/trainer/blob/sample_state.h"
#include "trainer/blob/hasher.h"

namespace coxswain::trainer::blob {
namespace {

TEST(ShareOf, RandomStates_EveryByteOnceEvenAndOnElements) {
  base::Rng random(1);
  constexpr DType kTypes[] = {DType::kUint8, DType::kFloat16, DType::kFloat32, DType::kFloat64};
  for (int round = 0; round < 200; ++round) {
    std::vector<TensorInfo> tensors;
    uint64_t total = 0;
    for (uint64_t i = random.Below(6); i-- > 0;) {
      tensors.push_back(
          {std::to_string(i), kTypes[random.Below(4)], {static_cast<int64_t>(random.Below(50))}});
      total += tensors.back().bytes();
    }
    uint32_t world_size = 1 + random.Below(9);
    std::vector<uint64_t> next(tensors.size());
    for (uint32_t rank = 0; rank < world_size; ++rank) {
      uint64_t share = 0;
      for (const Piece& piece : ShareOf(tensors, rank, world_size)) {
        EXPECT_EQ(piece.offset, next[piece.tensor]);
        EXPECT_EQ(piece.bytes % ElementBytes(tensors[piece.tensor].dtype), 0u);
        next[piece.tensor] += piece.bytes;
        share += piece.bytes;
      }
      EXPECT_LT(share, total / world_size + 9);
      EXPECT_GT(share + 9, total / world_size);
    }
    for (size_t i = 0; i < tensors.size(); ++i) EXPECT_EQ(next[i], tensors[i].bytes());
  }
}

TEST(ShardBuffer, Shard_NamesSizeAndHashOfItsBytes) {
  auto shard = SampleState(3).Shard(1, 2);
  EXPECT_EQ(shard->shard().object, "rank-00001.safetensors");
  EXPECT_EQ(shard->shard().rank, 1u);
  EXPECT_EQ(shard->shard().bytes, shard->bytes().size());
  EXPECT_EQ(shard->shard().hash, HashHex(shard->bytes()));
}

TEST(ParseShardHeader, CutTensor_SaysWholeShapeAndPlace) {
  SampleState state(3);
  auto shard = state.Shard(1, 2);
  auto pieces = ParseShardHeader(shard->bytes(), shard->bytes().size());
  ASSERT_TRUE(pieces.ok()) << pieces.status();
  const PlacedPiece& first = pieces->front();
  EXPECT_EQ(first.tensor, state.tensors[0]);
  EXPECT_GT(first.offset, 0u);
  EXPECT_EQ(first.offset + first.bytes, state.tensors[0].bytes());
  EXPECT_EQ(shard->bytes().substr(first.object_offset, first.bytes),
            state.data[0].substr(first.offset));
}

TEST(ParseShardHeader, AnyByteChanged_NeverCrashesNorOverruns) {
  auto shard = SampleState(3, 2).Shard(0, 1);
  std::string bytes(shard->bytes());
  base::Rng random(5);
  uint64_t header = ShardHeaderBytes(bytes, bytes.size()).value();
  for (int round = 0; round < 3000; ++round) {
    std::string changed = bytes;
    changed[random.Below(header)] = static_cast<char>(random.Next());
    auto pieces = ParseShardHeader(changed, changed.size());
    if (!pieces.ok()) continue;
    for (const PlacedPiece& piece : *pieces) {
      EXPECT_LE(piece.object_offset + piece.bytes, changed.size());
    }
  }
}

TEST(HashHex, KnownValues) {
  EXPECT_EQ(HashHex(""), "2d06800538d394c2");  // XXH3_64bits of nothing, from xxHash's own tests
  Hasher parts;
  parts.Add("he");
  parts.Add("llo");
  EXPECT_EQ(parts.Hex(), HashHex("hello"));
}

}  // namespace
}  // namespace coxswain::trainer::blob
