// Batches that are copied by the loader's thread, as they are to a GPU (the copies and their order
// on a GPU itself: tests/gpu).
#include <gtest/gtest.h>

#include "ranks.h"
#include "texts.h"

namespace coxswain::trainer::engine {
namespace {

void ExpectSame(const Curve& one, const Curve& other) {
  EXPECT_EQ(one.losses, other.losses);
  EXPECT_EQ(one.positions, other.positions);
  EXPECT_EQ(one.end.bytes, other.end.bytes);
  EXPECT_EQ(one.evaluation.loss, other.evaluation.loss);
}

// 60 samples in batches of 13: the memory of a larger batch is used again for the epoch's last.
TEST(Prefetch, OfImages_SameStepsBitForBit) {
  const auto images = MakeImages(60, 8, 10);
  const Datasets sets{images.get(), images.get()};
  config::JobSpec spec;
  spec.model.recipe = config::Recipe::kCnn;
  spec.model.channels = {4};
  spec.model.batch_norm = true;
  spec.train.global_batch_size = 13;
  spec.train.epochs = 2;
  for (uint32_t ranks : {1u, 2u}) {
    for (int64_t micro_batch : {0, 3}) {
      spec.train.micro_batch_size = micro_batch;
      ExpectSame(Train(spec, sets, ranks, 0),
                 Train(spec, sets, ranks, 0, nullptr, {.send_batches = true}));
    }
  }
}

TEST(Prefetch, OfTokens_SameStepsBitForBit) {
  const auto tokens = MakeTokens(301, 19, 8);
  const Datasets sets{tokens.get(), nullptr};
  config::JobSpec spec = TextSpec(config::Recipe::kGpt);
  spec.model.dropout = 0.1;
  ExpectSame(Train(spec, sets, 1, 0), Train(spec, sets, 1, 0, nullptr, {.send_batches = true}));
}

}  // namespace
}  // namespace coxswain::trainer::engine
