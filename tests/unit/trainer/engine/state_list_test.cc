// The list made by arithmetic is the list of the real engine.
#include "trainer/state/state_list.h"

#include <gtest/gtest.h>

#include "tests/unit/trainer/engine/ranks.h"

namespace coxswain::trainer::engine {
namespace {

void ExpectSame(const config::JobSpec& spec) {
  auto images = MakeImages(8, 12, 3);
  std::unique_ptr<Engine> engine = MakeEngine();
  EngineSettings settings;
  settings.spec = spec;
  ASSERT_TRUE(engine->Prepare(settings, {images.get(), nullptr}).ok());
  state::StateList list = state::ListState(spec, state::ImageShape{1, 12, 12});
  EXPECT_EQ(list.tensors, engine->StateTensors());
  uint64_t bytes = 0, model_bytes = 0;
  for (size_t i = 0; i < list.tensors.size(); ++i) {
    bytes += list.tensors[i].bytes();
    if (i < engine->ModelTensorCount()) model_bytes += list.tensors[i].bytes();
  }
  EXPECT_EQ(list.bytes, bytes);
  EXPECT_LE(list.parameter_bytes, model_bytes);
  EXPECT_EQ(list.LeastMemory(), bytes + list.parameter_bytes);
}

config::JobSpec Spec(config::Recipe recipe) {
  config::JobSpec spec;
  spec.model.recipe = recipe;
  spec.model.hidden = {7, 5};
  spec.data.classes = 3;
  spec.train.global_batch_size = 4;
  return spec;
}

TEST(StateList, ResNets_AsTheEngine) {
  config::JobSpec spec = Spec(config::Recipe::kResNet);
  for (int64_t depth : {18, 34, 50}) {
    spec.model.depth = depth;
    spec.model.small_stem = depth == 34;
    spec.model.resnet_width = depth == 18 ? 64 : 24;
    ExpectSame(spec);
  }
}

TEST(StateList, MlpWithAdamW_AsTheEngine) { ExpectSame(Spec(config::Recipe::kMlp)); }

TEST(StateList, ShardedOptimizer_ListsTheWholeAndNeedsTheMemoryOfAPart) {
  config::JobSpec spec = Spec(config::Recipe::kMlp);
  spec.train.ema = {0.9, false};
  const state::ImageShape image{1, 12, 12};
  const state::StateList whole = state::ListState(spec, image);
  EXPECT_EQ(whole.optimizer_bytes, 2 * whole.parameter_bytes);
  spec.train.optimizer.sharded = true;
  spec.workers = 4;
  const state::StateList sharded = state::ListState(spec, image);
  EXPECT_EQ(sharded.tensors, whole.tensors);
  EXPECT_EQ(whole.LeastMemory() - sharded.LeastMemory(), 2 * whole.parameter_bytes * 3 / 4);
  spec.min_workers = 2;  // it may have to go on with so few
  EXPECT_EQ(state::ListState(spec, image).shards, 2u);
}

TEST(StateList, MlpWithSgdInFloat64_AsTheEngine) {
  config::JobSpec spec = Spec(config::Recipe::kMlp);
  spec.train.precision = config::Precision::kFloat64;
  spec.train.optimizer.name = config::OptimizerName::kSgd;
  ExpectSame(spec);
  spec.train.optimizer.momentum = 0.9;
  ExpectSame(spec);
}

TEST(StateList, CnnWithAndWithoutNorm_AsTheEngine) {
  config::JobSpec spec = Spec(config::Recipe::kCnn);
  spec.model.channels = {4, 6, 2};
  spec.model.pool_every = 2;
  ExpectSame(spec);
  spec.model.batch_norm = true;
  ExpectSame(spec);
  spec.train.ema.decay = 0.9;
  ExpectSame(spec);
}

}  // namespace
}  // namespace coxswain::trainer::engine
