// The mlp on rows of a table: categories, classes that weigh, and numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/trainer/data/fake_table.h"
#include "tests/unit/trainer/engine/ranks.h"
#include "trainer/engine/training/loss.h"
#include "trainer/state/state_list.h"

namespace coxswain::trainer::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

config::JobSpec Spec() {
  config::JobSpec spec;
  spec.model.recipe = config::Recipe::kMlp;
  spec.model.hidden = {9};
  spec.train.precision = config::Precision::kFloat64;
  spec.train.global_batch_size = 25;
  spec.train.epochs = 2;
  spec.train.optimizer.learning_rate = 0.02;
  spec.max_workers = 4;
  return spec;
}

config::TableData Classes(int64_t buffer = 1 << 20) {
  config::TableData spec;
  spec.numeric = {"x", "row"};
  spec.categorical = {"kind"};
  spec.buffer_bytes = buffer;
  spec.target = "y";  // as a class: row % 4
  return spec;
}

TEST(TableTraining, IsIndependentOfTheNumberOfRanks_InMemoryAndStreamed) {
  for (int64_t buffer : {1 << 20, 28 * 4 * 20}) {
    data::FakeSet made = data::MakeSet(Classes(buffer));
    config::JobSpec spec = Spec();
    spec.train.balanced_classes = true;
    const Datasets sets{made.set.get(), made.set.get()};
    Curve one = Train(spec, sets, 1, 0);
    ASSERT_EQ(one.losses.size(), 10);
    for (uint32_t world : {2, 3, 4}) {
      Curve more = Train(spec, sets, world, 0);
      for (size_t i = 0; i < one.losses.size(); ++i) {
        EXPECT_NEAR(more.losses[i], one.losses[i], 1e-12) << world << " ranks, step " << i;
      }
      EXPECT_EQ(more.evaluation.accuracy, one.evaluation.accuracy);
      EXPECT_EQ(more.evaluation.samples, 103);
    }
  }
}

TEST(TableTraining, LearnsANumber_AndTellsErrorInItsOwnUnit) {
  config::TableData table = data::FakeSpec();
  table.standardize = true;
  table.numeric = {"y", "x"};
  table.categorical = {"kind"};
  data::FakeSet made = data::MakeSet(table);
  config::JobSpec spec = Spec();
  spec.data.format = "csv";
  spec.data.table.task = config::TableTask::kRegression;
  spec.train.epochs = 60;
  Curve curve = Train(spec, {made.set.get(), made.set.get()}, 2, 0);
  EXPECT_LT(curve.evaluation.accuracy, 0);
  EXPECT_GT(curve.evaluation.r2, 0.97);
  const double variance = std::pow(made.preprocessing->target.std, 2);
  EXPECT_NEAR(curve.evaluation.mse, curve.evaluation.loss * variance, 1e-9 * variance);
  EXPECT_NEAR(curve.evaluation.r2, 1 - curve.evaluation.mse / variance, 1e-9);
}

TEST(TableTraining, StateListIsTheEngines) {
  for (bool classes : {true, false}) {
    config::TableData table = classes ? Classes() : data::FakeSpec();
    data::FakeSet made = data::MakeSet(table);
    EngineSettings settings;
    settings.spec = Spec();
    settings.spec.model.embedding_dim = classes ? 0 : 5;
    std::unique_ptr<Engine> engine = MakeEngine();
    ASSERT_TRUE(engine->Prepare(settings, {made.set.get(), nullptr}).ok());
    const state::TableShape shape{2, {3}, classes ? 4 : 1};
    EXPECT_EQ(state::ListState(settings.spec, shape).tensors, engine->StateTensors());
    const std::string config = engine->ModelConfig();
    EXPECT_THAT(config, HasSubstr("\"layout\": \"table\""));
    EXPECT_THAT(config, HasSubstr(classes ? "\"class_counts\"" : "\"kind\": \"value\""));
    EXPECT_TRUE(data::ParsePreprocessing(config).ok());
  }
}

TEST(TableTraining, WrongWeightsAndRecipes_AreRefused) {
  data::FakeSet made = data::MakeSet(Classes());
  EngineSettings settings;
  settings.spec = Spec();
  settings.spec.train.class_weights = {1, 2};
  absl::Status prepared = MakeEngine()->Prepare(settings, {made.set.get(), nullptr});
  EXPECT_THAT(
      std::string(prepared.message()),
      HasSubstr("spec.train.class_weights: found 2 numbers, expected one for each of the 4"));
  settings.spec = Spec();
  settings.spec.model.recipe = config::Recipe::kCnn;
  prepared = MakeEngine()->Prepare(settings, {made.set.get(), nullptr});
  EXPECT_TRUE(absl::IsInvalidArgument(prepared));
}

TEST(TableTraining, DataThatIsAwayOrUnfit_IsNoPeerThatIsGone) {
  for (bool away : {true, false}) {
    auto fakes = data::TwoFakes();
    config::TableData table = Classes(1);
    table.target = "row";  // so that "y" is a number
    table.numeric = {"x", "y"};
    data::FakeSet made = data::MakeSet(table, {}, fakes);
    if (away) {
      for (auto& fake : fakes) fake->away = true;
    } else {
      fakes[0]->nan_row = 5;  // since it was looked at
      fakes[1]->nan_row = 60;
    }
    EngineSettings settings;
    settings.spec = Spec();
    settings.spec.train.global_batch_size = 103;
    Listener listener;
    std::unique_ptr<Engine> engine = MakeEngine();
    ASSERT_TRUE(engine->Prepare(settings, {made.set.get(), nullptr}).ok());
    GroupSettings group{base::Generation(1), 0, 1, "127.0.0.1", listener.port, listener.fd, 0};
    ASSERT_TRUE(engine->Join(group, StartAfresh).ok());
    absl::Status stepped = engine->Step({}).status();
    EXPECT_EQ(stepped.code(),
              away ? absl::StatusCode::kDeadlineExceeded : absl::StatusCode::kFailedPrecondition)
        << stepped;
  }
}

TEST(ClassWeights, BalancedOnesAverageToOneOverTheSamples) {
  config::Train train;
  EXPECT_TRUE(ClassWeights(train, {1, 3}).empty());
  train.balanced_classes = true;
  EXPECT_THAT(ClassWeights(train, {1, 3}), ElementsAre(2.0, 4.0 / 6));
  EXPECT_THAT(ClassWeights(train, {2, 0}), ElementsAre(0.5, 0));
  train = {};
  train.class_weights = {1, 5};
  EXPECT_THAT(ClassWeights(train, {1, 3}), ElementsAre(1, 5));
}

}  // namespace
}  // namespace coxswain::trainer::engine
