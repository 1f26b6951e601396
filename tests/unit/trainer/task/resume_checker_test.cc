#include "trainer/task/resume_checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "tests/unit/trainer/blob/sample_state.h"
#include "trainer/engine/data/table/preprocessing.h"

namespace coxswain::trainer::task {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ResumeTest : public ::testing::Test {
 protected:
  ResumeTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "resumeXXXXXX";
    folder_ = mkdtemp(pattern.data());
    spec_.model.recipe = config::Recipe::kMlp;
    spec_.model.hidden = {4};
    spec_.data.classes = 3;
    spec_.train.epochs = 2;
  }
  ~ResumeTest() override { std::filesystem::remove_all(folder_); }

  state::StateList List() {
    return table_ ? state::ListState(spec_, state::TableShape{2, {4}, 3})
                  : state::ListState(spec_, state::ImageShape{1, 2, 3});
  }
  // Two numbers, a column of three categories, three classes.
  static data::Preprocessing Table() {
    data::Preprocessing table;
    table.columns = {{"a", "b"}, {"c"}, "y", true};
    table.numeric = {{0, 1}, {0, 1}};
    table.categorical = {{{"u", "v", "w"}}};
    table.classes = {"0", "1", "2"};
    table.class_counts = {4, 3, 3};
    return table;
  }
  // Of a job with the present settings, one epoch of 10 samples done.
  std::string Save(const std::string& name, bool commit = true) {
    blob::SampleState state(1);
    state.tensors = List().tensors;
    state.data.clear();
    for (const blob::TensorInfo& tensor : state.tensors) {
      state.data.emplace_back(tensor.bytes(), 'x');
    }
    state.more = {{"seed", "1"}, {"samples", "10"}};
    if (table_) state.more["preprocessing"] = ToJson(Table());
    state.position = 10;
    std::string uri = "file://" + folder_ + "/" + name;
    auto store = blob::OpenStore(uri, {}).value();
    hash_ = state.Save(*store, 2).value();
    if (commit) {
      EXPECT_TRUE(blob::StoreCommitted(*store, hash_).ok());
    }
    return uri;
  }
  absl::StatusOr<std::string> Check(std::vector<std::string> uris, bool elsewhere = false,
                                    bool at_submit = true) {
    ResumeOrder order;
    for (std::string& uri : uris) order.candidates.push_back({{}, std::move(uri), ""});
    order.elsewhere = elsewhere;
    order.at_submit = at_submit;
    state::StateList list = List();
    return CheckResume(order, {spec_, list, samples_, table_ ? &columns_ : nullptr}, {});
  }
  void ExpectRefused(const std::string& uri, const ::testing::Matcher<std::string>& why) {
    absl::StatusOr<std::string> found = Check({uri});
    EXPECT_TRUE(absl::IsInvalidArgument(found.status())) << found.status();
    EXPECT_THAT(std::string(found.status().message()), why);
  }

  std::string folder_, hash_;
  config::JobSpec spec_;
  int64_t samples_ = 10;
  bool table_ = false;
  data::TableColumns columns_ = Table().columns;
};

TEST_F(ResumeTest, OfATable_ItsPreprocessingTellsTheShape) {
  table_ = true;
  const std::string uri = Save("table");
  EXPECT_EQ(Check({uri}).value(), "");
  samples_ = -1;  // of a large CSV file, not known yet
  EXPECT_EQ(Check({uri}).value(), "");
  spec_.model.embedding_dim = 7;
  ExpectRefused(uri, HasSubstr("'embeddings.0.weight'"));
  spec_.model.embedding_dim = 0;
  columns_.numeric = {"a"};
  ExpectRefused(uri, HasSubstr("its numeric columns are [a, b], this job's [a]"));
  table_ = false;
  const std::string images = Save("images");
  table_ = true;
  ExpectRefused(images, HasSubstr("it was not trained on a table"));
}

TEST_F(ResumeTest, NoneOrAFittingOne_NothingToSay) {
  EXPECT_EQ(Check({}).value(), "");
  EXPECT_EQ(Check({Save("good")}).value(), "");
}

TEST_F(ResumeTest, MissingOrUncommitted_IsRefused) {
  std::string nowhere = "file://" + folder_ + "/nowhere";
  ExpectRefused(nowhere, AllOf(HasSubstr("resume_from: no checkpoint at "), HasSubstr(nowhere)));
  ExpectRefused(Save("open", false), HasSubstr("was never committed"));
}

TEST_F(ResumeTest, MissingHere_MayBeOnAnotherMachine) {
  EXPECT_THAT(Check({"file://" + folder_ + "/nowhere"}, true).value(),
              HasSubstr("it has to be on the one that runs the job"));
}

TEST_F(ResumeTest, NewestDamaged_TheOneBeforeIsTaken) {
  std::string good = Save("good"), damaged = Save("damaged");
  std::filesystem::remove(folder_ + "/damaged/" + blob::kManifestName);
  EXPECT_EQ(Check({damaged, good}).value(), "");
}

TEST_F(ResumeTest, DamagedBeforeTheAcceptance_IsRefused_LaterTheAttemptIsToFindIt) {
  std::string uri = Save("damaged");
  std::string shard = folder_ + "/damaged/" + blob::SampleState(1).Shard(0, 2)->shard().object;
  std::filesystem::resize_file(shard, std::filesystem::file_size(shard) - 1);
  ExpectRefused(uri, AllOf(HasSubstr(shard), HasSubstr(" is truncated: found "),
                           HasSubstr("give another one to --resume-from")));
  EXPECT_THAT(Check({uri}, false, false).value(), HasSubstr(" is truncated: found "));
}

TEST_F(ResumeTest, OtherShape_NamesTheTensorAndBothShapes) {
  std::string uri = Save("c");
  spec_.model.hidden = {5};
  ExpectRefused(uri, HasSubstr("its tensor 'layers.0.weight' is F32 [4, 6], this job's is F32 [5, "
                               "6]; spec.model"));
}

TEST_F(ResumeTest, OtherPrecisionRecipeOrOptimizer_IsRefused) {
  std::string uri = Save("c");
  spec_.train.precision = config::Precision::kFloat64;
  ExpectRefused(uri, HasSubstr("is F32 [4, 6], this job's is F64 [4, 6]"));
  spec_.train.precision = config::Precision::kFloat32;
  spec_.train.optimizer.name = config::OptimizerName::kSgd;
  ExpectRefused(uri, HasSubstr("its tensor 'optimizer.exp_avg.layers.0.bias' has no place"));
  spec_.train.optimizer.momentum = 0.9;
  ExpectRefused(uri, HasSubstr("it has no tensor 'optimizer.momentum.layers.0.weight'"));
}

TEST_F(ResumeTest, NothingLeftToTrain_IsAWarning) {
  std::string uri = Save("c");
  spec_.train.epochs = 1;
  EXPECT_THAT(Check({uri}).value(),
              HasSubstr("nothing is left to train: the checkpoint is of step"));
  spec_.train.epochs = 5;
  spec_.train.max_steps = 500;
  EXPECT_THAT(Check({uri}).value(), HasSubstr("nothing is left to train"));
  spec_.train.max_steps = 501;
  EXPECT_EQ(Check({uri}).value(), "");
}

TEST_F(ResumeTest, OtherSeedOrSamples_IsAWarningWithBoth) {
  std::string uri = Save("c");
  spec_.train.seed = 7;
  samples_ = 9;
  EXPECT_THAT(Check({uri}).value(),
              AllOf(HasSubstr("spec.train.seed is 7, the checkpoint's is 1 and there are 9 "
                              "training samples, the checkpoint's job had 10"),
                    HasSubstr("used twice")));
}

}  // namespace
}  // namespace coxswain::trainer::task
