// A model from a shared library: plugin/test_model_plugin.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>

#include "ranks.h"

namespace coxswain::trainer::engine {
namespace {

using ::testing::HasSubstr;

const data::Dataset& Images() {
  static const auto set = MakeImages(60, 8, 4);
  return *set;
}

std::string Bytes() {
  std::stringstream bytes;
  bytes << std::ifstream(COXSWAIN_TEST_PLUGIN, std::ios::binary).rdbuf();
  return std::move(bytes).str();
}

config::JobSpec Spec(std::map<std::string, std::string> options) {
  config::JobSpec spec = OwnModelJob(config::Recipe::kPlugin);
  spec.model.plugin = std::string("file://") + COXSWAIN_TEST_PLUGIN;
  spec.model.options = std::move(options);
  return spec;
}

TrainOptions WithFile() {
  TrainOptions options;
  options.model_file = std::make_shared<const std::string>(Bytes());
  return options;
}

TEST(ModelPlugin, SameCurveAndBuffersForAnyNumberOfRanks_AndItLearns) {
  const config::JobSpec spec = Spec({{"hidden", "16"}, {"dropout", "0.3"}});
  Datasets sets{&Images(), nullptr};
  Curve one = Train(spec, sets, 1, 25, nullptr, WithFile());
  EXPECT_LT(one.losses.back(), 0.9 * one.losses.front());
  for (uint32_t world : {2, 3}) {
    Curve more = Train(spec, sets, world, 25, nullptr, WithFile());
    for (size_t i = 0; i < one.losses.size(); ++i) {
      ASSERT_NEAR(one.losses[i], more.losses[i], 1e-9 * std::abs(one.losses[i])) << "step " << i;
    }
    ASSERT_EQ(one.end.tensors, more.end.tensors);
    for (size_t i = 0; i < one.end.tensors.size(); ++i) {
      if (one.end.tensors[i].name != "seen" && one.end.tensors[i].name != "mean") continue;
      double a = 0, b = 0;
      std::memcpy(&a, one.end.bytes[i].data(), 8);
      std::memcpy(&b, more.end.bytes[i].data(), 8);
      EXPECT_NEAR(a, b, 1e-9) << one.end.tensors[i].name;
    }
  }
  Curve first = Train(spec, sets, 1, 10, nullptr, WithFile());
  Curve rest = Train(spec, sets, 2, 15, &first.end, WithFile());
  EXPECT_NEAR(rest.losses.back(), one.losses.back(), 1e-9 * one.losses.back());
}

TEST(ModelPlugin, ShardedOptimizer_SameBitsAsWithout) {
  config::JobSpec spec = Spec({{"hidden", "16"}});
  Datasets sets{&Images(), nullptr};
  const Curve whole = Train(spec, sets, 3, 12, nullptr, WithFile());
  spec.train.optimizer.sharded = true;
  const Curve sharded = Train(spec, sets, 3, 12, nullptr, WithFile());
  EXPECT_EQ(sharded.losses, whole.losses);
  EXPECT_EQ(sharded.end.tensors, whole.end.tensors);
  EXPECT_EQ(sharded.end.bytes == whole.end.bytes, true);
}

TEST(ModelPlugin, ItsTensors) {
  EngineSettings settings;
  settings.spec = Spec({});
  settings.model_file = WithFile().model_file;
  auto made = MakeEngine()->Inspect(settings, Images().shape());
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->parameters,
            (std::vector<blob::TensorInfo>{{"first", blob::DType::kFloat64, {12, 64}},
                                           {"first_bias", blob::DType::kFloat64, {12}},
                                           {"last", blob::DType::kFloat64, {4, 12}},
                                           {"last_bias", blob::DType::kFloat64, {4}}}));
  EXPECT_EQ(made->buffers, (std::vector<blob::TensorInfo>{{"frozen", blob::DType::kFloat64, {2}},
                                                          {"seen", blob::DType::kInt64, {}},
                                                          {"mean", blob::DType::kFloat64, {12}}}));
}

std::string WhyNot(std::map<std::string, std::string> options, const std::string& file) {
  EngineSettings settings;
  settings.spec = Spec(std::move(options));
  settings.model_file = std::make_shared<const std::string>(file);
  auto made = MakeEngine()->Inspect(settings, Images().shape());
  EXPECT_TRUE(absl::IsInvalidArgument(made.status())) << made.status();
  return std::string(made.status().message());
}

std::string Changed(const std::string& from, const std::string& to) {
  std::string bytes = Bytes();
  const size_t at = bytes.find(from);
  CHECK(at != std::string::npos);
  return bytes.replace(at, from.size(), to);
}

TEST(ModelPlugin, OfAnotherInterfaceOrLibTorch_IsNotLoaded) {
  EXPECT_THAT(WhyNot({}, "#!/bin/sh"), HasSubstr("is no shared library"));
  EXPECT_THAT(WhyNot({},
                     "\x7f"
                     "ELF"),
              HasSubstr("it does not use COXSWAIN_MODEL_PLUGIN"));
  EXPECT_THAT(
      WhyNot({}, Changed("plugin abi=1 ", "plugin abi=7 ")),
      HasSubstr("was built for version 7 of the plugin interface, this trainer has version 1"));
  EXPECT_THAT(WhyNot({}, Changed("torch=2.11.0;", "torch=2.12.0;")),
              HasSubstr("was built with LibTorch 2.12.0, this trainer has LibTorch 2.11.0"));
}

TEST(ModelPlugin, WhatItThrows_IsToldWithItsName) {
  const std::string file = Bytes();
  EXPECT_EQ(WhyNot({{"wrong", "make"}}, file), std::string("spec.model.plugin: file://") +
                                                   COXSWAIN_TEST_PLUGIN +
                                                   " (test-model): no such file: weights.bin");
  EXPECT_THAT(WhyNot({{"wrong", "shape"}}, file),
              HasSubstr("(test-model): gives Double of (2, 12) for 2 rows, expected (2, 4)"));
  EXPECT_EQ(WhyNot({{"hidden", "many"}}, file),
            "spec.model.options.hidden: found \"many\", expected a whole number (says the plugin "
            "test-model)");
  EXPECT_EQ(WhyNot({{"hiden", "5"}}, file),
            "spec.model.options.hiden: the plugin test-model has no such option (did you mean "
            "'hidden'?)");
}

// A user's failure, not a peer that has gone: with several ranks too.
TEST(ModelPlugin, ThrowsInAStep_IsToldWithItsName) {
  std::unique_ptr<Engine> engine = MakeEngine();
  EngineSettings settings;
  settings.spec = Spec({{"wrong", "step"}});
  settings.model_file = WithFile().model_file;
  ASSERT_TRUE(engine->Prepare(settings, {&Images(), nullptr}).ok());
  Listener listener;
  ASSERT_TRUE(engine
                  ->Join({base::Generation(1), 0, 1, "127.0.0.1", listener.port, listener.fd, 0},
                         StartAfresh)
                  .ok());
  EXPECT_TRUE(engine->Step({}).ok());
  absl::Status status = engine->Step({}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(status.message(), HasSubstr("(test-model): row 21 is not mine"));
}

// Rank 1's code throws while rank 0 waits for its gradients: that is no peer that is gone.
TEST(ModelPlugin, ThrowsInItsBackwardOnOneRank_IsTheUsers) {
  config::JobSpec spec = Spec({{"wrong", "backward"}});
  spec.train.global_batch_size = 20;
  spec.train.micro_batch_size = 10;
  Listener listener;
  std::vector<absl::Status> ended(2);
  std::vector<std::thread> ranks;
  for (uint32_t rank : {0u, 1u}) {
    ranks.emplace_back([&, rank] {
      std::unique_ptr<Engine> engine = MakeEngine();
      EngineSettings settings;
      settings.spec = spec;
      settings.model_file = WithFile().model_file;
      CHECK(engine->Prepare(settings, {&Images(), nullptr}).ok());
      GroupSettings group{base::Generation(1), rank, 2, "127.0.0.1", listener.port, listener.fd, 0};
      CHECK(engine->Join(group, StartAfresh).ok());
      EXPECT_TRUE(engine->Step({}).ok());
      ended[rank] = engine->Step({}).status();  // samples 20 to 29, and 30 to 39
    });
  }
  for (std::thread& rank : ranks) rank.join();
  EXPECT_TRUE(absl::IsUnavailable(ended[0])) << ended[0];
  EXPECT_TRUE(absl::IsInvalidArgument(ended[1])) << ended[1];
  EXPECT_THAT(ended[1].message(), HasSubstr("(test-model): no gradient of row 21"));
}

// Without clipping nobody needs the norm; it is looked at every now and then, and in the first
// step.
TEST(ModelPlugin, GradientIsNone_IsFoundInItsStepWhereTheNormIsLookedAt) {
  config::JobSpec spec = Spec({{"wrong", "gradient"}});
  spec.train.global_batch_size = 20;
  std::unique_ptr<Engine> engine = MakeEngine();
  EngineSettings settings;
  settings.spec = spec;
  settings.model_file = WithFile().model_file;
  ASSERT_TRUE(engine->Prepare(settings, {&Images(), nullptr}).ok());
  const Saved first = Train(Spec({}), {&Images(), nullptr}, 1, 2, nullptr, WithFile()).end;
  ASSERT_TRUE(engine->Join({base::Generation(1), 0, 1, "", 0}, first.Restore()).ok());
  auto result = engine->Step({});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->not_finite, testing::IsEmpty());
  EXPECT_THAT(result->not_finite_at, HasSubstr("first parameter with a non-finite gradient: "));
  EXPECT_EQ(Saved::Of(*engine, first.step, first.position).bytes[0], first.bytes[0]);
}

// Ranks that were given different files are told so, each of them.
TEST(OwnModel, AnotherFileOnAnotherRank_IsRefused) {
  Listener listener;
  std::vector<absl::Status> joined(2);
  std::vector<std::thread> ranks;
  for (uint32_t rank : {0u, 1u}) {
    ranks.emplace_back([&, rank] {
      std::unique_ptr<Engine> engine = MakeEngine();
      EngineSettings settings;
      settings.spec = Spec({});
      settings.model_file = std::make_shared<const std::string>(Bytes() + (rank == 1 ? "x" : ""));
      CHECK(engine->Prepare(settings, {&Images(), nullptr}).ok());
      GroupSettings group{base::Generation(1), rank, 2, "127.0.0.1", listener.port, listener.fd, 0};
      joined[rank] = engine->Join(group, StartAfresh).status();
    });
  }
  for (std::thread& rank : ranks) rank.join();
  for (const absl::Status& status : joined) {
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(status.message(), HasSubstr("rank 1 has another one than rank 0"));
  }
}

}  // namespace
}  // namespace coxswain::trainer::engine
