#include "trainer/task/task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/trainer/blob/sample_state.h"

namespace coxswain::trainer::task {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string Idx(std::vector<uint32_t> dims, std::string elements) {
  std::string bytes = {0, 0, 8, static_cast<char>(dims.size())};
  for (uint32_t dim : dims) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(dim >> shift);
  }
  return bytes + elements;
}

class TaskTest : public ::testing::Test {
 protected:
  TaskTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "taskXXXXXX";
    folder_ = mkdtemp(pattern.data());
    Write("images", Idx({6, 2, 3}, std::string(36, 'x')));
    Write("labels", Idx({6}, std::string("\0\1\2\0\1\2", 6)));
  }
  ~TaskTest() override { std::filesystem::remove_all(folder_); }

  std::string At(const std::string& name) { return folder_ + "/" + name; }
  void Write(const std::string& name, const std::string& bytes) {
    std::ofstream(At(name), std::ios::binary) << bytes;
  }
  void WriteGzip(const std::string& name, const std::string& bytes) {
    gzFile file = gzopen(At(name).c_str(), "wb1");
    ASSERT_EQ(gzwrite(file, bytes.data(), bytes.size()), static_cast<int>(bytes.size()));
    gzclose(file);
  }
  std::string Yaml() {
    return "apiVersion: coxswain/v1\nkind: TrainingJob\nmetadata: {name: t}\nspec:\n  workers: 1\n"
           "" +
           resources_ + "  model: " + model_ +
           "\n  data:\n    format: idx\n    classes: 3\n    train: "
           "{images: " +
           At("images") + ", labels: " + At("labels") + "}\n  train: {epochs: 1" + train_ +
           "}\n  checkpoint: {store: '" + store_ + "'}\n";
  }
  protocol::TaskEnded Run(protocol::TaskKind kind, std::string argument = "{}") {
    protocol::StartTask task;
    task.task = base::TaskId(7);
    task.kind = kind;
    task.argument = std::move(argument);
    task.spec_yaml = Yaml();
    return RunTask(task, "");
  }
  protocol::TaskEnded Check() { return Run(protocol::TaskKind::kCheck); }
  void ExpectUserError(const ::testing::Matcher<std::string>& text) {
    protocol::TaskEnded ended = Check();
    EXPECT_FALSE(ended.ok);
    EXPECT_TRUE(ended.user_error);
    EXPECT_THAT(ended.error, text);
  }
  std::string SaveCheckpoint(const std::string& name) {
    std::string uri = store_ + "/" + name;
    auto store = blob::OpenStore(uri, {}).value();
    hash_ = state_.Save(*store, 2).value();
    EXPECT_TRUE(blob::StoreCommitted(*store, hash_).ok());
    return uri;
  }

  std::string folder_;
  std::string model_ = "{recipe: mlp}", resources_, train_;
  std::string store_ = "file://" + (std::filesystem::temp_directory_path() / "store-").string() +
                       std::to_string(getpid());
  blob::SampleState state_{5};
  std::string hash_;
};

TEST_F(TaskTest, Check_GoodDataAndStore) {
  store_ = "file://" + At("ckpt");
  protocol::TaskEnded ended = Check();
  EXPECT_TRUE(ended.ok) << ended.error;
  EXPECT_EQ(ended.task, base::TaskId(7));
  EXPECT_EQ(ended.result, R"({"train_samples":6,"height":2,"width":3,"store":")" + store_ + "\"}");
  EXPECT_TRUE(std::filesystem::is_empty(At("ckpt")));
}

TEST_F(TaskTest, Check_ModelThatNoMachineHolds_IsRefusedWithBothNumbers) {
  store_ = "file://" + At("ckpt");
  model_ = "{recipe: mlp, hidden: [1000000, 1000000]}";
  protocol::TaskEnded ended =
      Run(protocol::TaskKind::kCheck, R"({"machine":{"memory":25232932864,"ranks":2}})");
  EXPECT_FALSE(ended.ok);
  EXPECT_TRUE(ended.user_error);
  EXPECT_EQ(ended.error,
            "spec.model.hidden: each rank needs at least 14.55TiB of memory for its "
            "1000011000003 parameters of float32, their gradients and the two averages of adamw, "
            "and 2 ranks have to share one machine, but the largest machine has 23.5GiB; make the "
            "model smaller, ask for fewer workers or add machines");
}

TEST_F(TaskTest, Check_ModelThatJustFits_IsAccepted) {
  store_ = "file://" + At("ckpt");
  model_ = "{recipe: mlp, hidden: [5]}";
  // 6 x 5 + 5 + 5 x 3 + 3 parameters, 16 bytes each.
  EXPECT_TRUE(Run(protocol::TaskKind::kCheck, R"({"machine":{"memory":848,"ranks":1}})").ok);
  EXPECT_TRUE(Run(protocol::TaskKind::kCheck, R"({"machine":{"memory":1696,"ranks":2}})").ok);
  EXPECT_FALSE(Run(protocol::TaskKind::kCheck, R"({"machine":{"memory":847,"ranks":1}})").ok);
  EXPECT_FALSE(Run(protocol::TaskKind::kCheck, R"({"machine":{"memory":1695,"ranks":2}})").ok);
}

TEST_F(TaskTest, Check_MixedPrecisionNeedsACopyOfTheWeights) {
  store_ = "file://" + At("ckpt");
  model_ = "{recipe: mlp, hidden: [5]}";
  train_ = ", precision: bf16";
  // 848 bytes as above, and 2 bytes for each of 6 x 5 + 5 x 3 weights.
  EXPECT_TRUE(Run(protocol::TaskKind::kCheck, R"({"machine":{"memory":938,"ranks":1}})").ok);
  protocol::TaskEnded ended =
      Run(protocol::TaskKind::kCheck, R"({"machine":{"memory":937,"ranks":1}})");
  EXPECT_THAT(ended.error, HasSubstr("two averages of adamw, and a bfloat16 copy of its weights"));
}

TEST_F(TaskTest, Check_LessMemoryAskedForThanNeeded_IsRefused) {
  store_ = "file://" + At("ckpt");
  resources_ = "  resources: {memory: 847B}\n";
  model_ = "{recipe: mlp, hidden: [5]}";
  ExpectUserError(
      HasSubstr("spec.resources.memory: found 847B, but each rank needs at least 848B"));
  resources_ = "  resources: {memory: 848B}\n";
  EXPECT_TRUE(Check().ok);
}

TEST_F(TaskTest, Check_MissingFile_IsNamedWithItsKey) {
  std::filesystem::remove(At("labels"));
  ExpectUserError(AllOf(HasSubstr("spec.data.train.labels: "), HasSubstr(At("labels")),
                        HasSubstr("No such file")));
}

TEST_F(TaskTest, Check_CutShortFile_FoundAndExpectedBytes) {
  Write("images", Idx({6, 2, 3}, std::string(35, 'x')));
  ExpectUserError(HasSubstr("images: cut short: found 51 bytes, expected 52"));
  Write("images", Idx({6, 2, 3}, std::string(37, 'x')));
  ExpectUserError(HasSubstr("too long: found 53 bytes, expected 52"));
}

TEST_F(TaskTest, Check_GzippedFile_WholeOrCutShort) {
  std::string bytes = Idx({6, 100, 300}, "");
  for (int i = 0; i < 180'000; ++i) bytes += static_cast<char>(base::Mix64(i));
  WriteGzip("images", bytes);
  store_ = "file://" + At("ckpt");
  EXPECT_TRUE(Check().ok);
  std::filesystem::resize_file(At("images"), std::filesystem::file_size(At("images")) / 2);
  ExpectUserError(
      AllOf(HasSubstr("cut short: found "), HasSubstr(" unpacked bytes, expected 180016")));
}

TEST_F(TaskTest, Check_GzippedLabelsDamaged_IsFound) {
  WriteGzip("labels", Idx({6}, std::string("\0\1\2\0\1\2", 6)));
  std::filesystem::resize_file(At("labels"), std::filesystem::file_size(At("labels")) - 9);
  ExpectUserError(HasSubstr("spec.data.train.labels: "));
}

TEST_F(TaskTest, Check_CountsDiffer_BothAreTold) {
  Write("labels", Idx({5}, std::string(5, '\1')));
  ExpectUserError(HasSubstr("labels: found 5 labels, expected 6, one for each image of"));
}

TEST_F(TaskTest, Check_LabelOutOfClasses_ValueAndIndex) {
  Write("labels", Idx({6}, std::string("\0\1\2\3\1\2", 6)));
  ExpectUserError(HasSubstr("found label 3 at index 3, expected 0 to 2 (spec.data.classes)"));
}

TEST_F(TaskTest, Check_NotIdx_SaysWhatWasFound) {
  Write("images", "\x89PNG not at all");
  ExpectUserError(HasSubstr("not an IDX file"));
  Write("images", Idx({6}, std::string(6, 'x')));
  ExpectUserError(HasSubstr("found 1 dimension, expected images"));
  Write("images", "");
  ExpectUserError(HasSubstr("cut short: found 0 bytes"));
}

TEST_F(TaskTest, Check_StoreIsAFile_OneClearLine) {
  Write("file", "x");
  store_ = "file://" + At("file") + "/ckpt";
  ExpectUserError(AllOf(HasSubstr("spec.checkpoint.store: cannot create the folder"),
                        HasSubstr("a file stands where a folder should")));
}

// Opens nothing while it lives: a trouble that may pass, as an unreachable store is.
class NoFilesLeft {
 public:
  NoFilesLeft() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit none = before_;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoFilesLeft() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(TaskTest, Check_TroubleThatMayPass_IsTheSubmissionsFaultOnlyAtSubmit) {
  for (bool at_submit : {true, false}) {
    protocol::TaskEnded ended;
    {
      NoFilesLeft none;
      ended = Run(protocol::TaskKind::kCheck,
                  at_submit ? R"({"at_submit": true})" : R"({"at_submit": false})");
    }
    EXPECT_FALSE(ended.ok);
    EXPECT_THAT(ended.error, HasSubstr("Too many open files"));
    EXPECT_EQ(ended.user_error, at_submit);
  }
}

TEST_F(TaskTest, Check_LocalStoreForSeveralMachines_IsRefused) {
  store_ = "file:///proc/ckpt";  // never shared, whatever holds the temporary folder
  protocol::TaskEnded ended = Run(protocol::TaskKind::kCheck, R"({"multi_node": true})");
  EXPECT_FALSE(ended.ok);
  EXPECT_THAT(ended.error, HasSubstr("is on a disk of this machine alone"));
}

TEST_F(TaskTest, Check_Probe_SeesAMarkOfTheSamePlaceOnly) {
  store_ = "file://" + At("ckpt");
  EXPECT_TRUE(Run(protocol::TaskKind::kCheck, R"({"probe": {"write": "abc"}})").ok);
  EXPECT_TRUE(Run(protocol::TaskKind::kCheck, R"({"probe": {"see": "abc", "keep": true}})").ok);
  EXPECT_TRUE(Run(protocol::TaskKind::kCheck, R"({"probe": {"see": "abc"}})").ok);
  EXPECT_FALSE(Run(protocol::TaskKind::kCheck, R"({"probe": {"see": "abc"}})").ok);
  protocol::TaskEnded other = Run(protocol::TaskKind::kCheck, R"({"probe": {"see": "xyz"}})");
  EXPECT_THAT(other.error, HasSubstr("is not the same place on all machines"));
}

TEST_F(TaskTest, Check_BadJobFile_IsTheFirstMistake) {
  protocol::StartTask task;
  task.argument = R"({"spec_yaml": "apiVersion: coxswain/v1\nkind: TrainingJob\nspeck: {}\n"})";
  protocol::TaskEnded ended = RunTask(task, "");
  EXPECT_TRUE(ended.user_error);
  EXPECT_THAT(ended.error, HasSubstr("job.yaml:"));
}

TEST_F(TaskTest, Verify_WholeThenCorrupt) {
  store_ = "file://" + At("ckpt");
  std::string uri = SaveCheckpoint("c/j1/step-5");
  std::string argument = R"({"uri": ")" + uri + R"(", "manifest_hash": ")" + hash_ + "\"}";
  protocol::TaskEnded good = Run(protocol::TaskKind::kVerify, argument);
  EXPECT_TRUE(good.ok) << good.error;
  EXPECT_THAT(good.result, HasSubstr(R"({"step":500,"shards":2,"bytes":)"));
  std::filesystem::resize_file(At("ckpt/c/j1/step-5/rank-00001.safetensors"), 10);
  protocol::TaskEnded bad = Run(protocol::TaskKind::kVerify, argument);
  EXPECT_TRUE(!bad.ok && bad.user_error);
  EXPECT_THAT(bad.error, HasSubstr("rank-00001.safetensors is truncated: found 10 bytes"));
}

TEST_F(TaskTest, CheckpointOfAnotherMachine_IsSeenWhereItReadsAsItWasWritten) {
  store_ = "file://" + At("ckpt");
  std::string uri = SaveCheckpoint("c/j1/step-5");
  auto see = [&](const std::string& at, const std::string& hash) {
    return Run(protocol::TaskKind::kCheck, R"({"probe": {"see": "", "checkpoint": {"uri": ")" + at +
                                               R"(", "manifest_hash": ")" + hash + "\"}}}");
  };
  protocol::TaskEnded good = see(uri, hash_);
  EXPECT_TRUE(good.ok) << good.error;
  for (const auto& [at, hash] : {std::pair(store_ + "/c/j1/step-6", hash_), {uri, "00ff"}}) {
    protocol::TaskEnded bad = see(at, hash);
    EXPECT_TRUE(!bad.ok && bad.user_error) << bad.error;
    EXPECT_THAT(bad.error, HasSubstr("which another machine wrote, is not seen here"));
  }
}

TEST_F(TaskTest, Collect_DeletesTheNamedAndNothingElse) {
  store_ = "file://" + At("ckpt");
  std::string first = SaveCheckpoint("c/j1/step-1"), second = SaveCheckpoint("c/j1/step-10");
  Write("ckpt/c/j1/step-1/.rank-00009.safetensors.0123.tmp", "left by a dead rank");
  protocol::TaskEnded ended = Run(protocol::TaskKind::kCollect, R"({"uris": [")" + first + "\"]}");
  EXPECT_TRUE(ended.ok) << ended.error;
  EXPECT_THAT(ended.result,
              AllOf(HasSubstr(R"("deleted":4,)"), HasSubstr(R"("aborted_uploads":1)")));
  EXPECT_FALSE(std::filesystem::exists(At("ckpt/c/j1/step-1")));
  EXPECT_TRUE(blob::VerifyCheckpoint(second, {}, {}).ok());
  EXPECT_TRUE(Run(protocol::TaskKind::kCollect, R"({"uris": [")" + first + "\"]}").ok);  // again
}

TEST_F(TaskTest, Collect_OutsideTheStore_DeletesNothing) {
  store_ = "file://" + At("ckpt");
  std::string inside = SaveCheckpoint("c/j1/step-1");
  for (std::string outside : {"file://" + At("images"), store_, "file://" + At("ckpt2/x"),
                              store_ + "/../images", std::string("s3://bucket/x")}) {
    protocol::TaskEnded ended =
        Run(protocol::TaskKind::kCollect, R"({"uris": [")" + inside + R"(", ")" + outside + "\"]}");
    EXPECT_FALSE(ended.ok) << outside;
    EXPECT_THAT(ended.error, HasSubstr("does not lie below"));
    EXPECT_TRUE(blob::VerifyCheckpoint(inside, {}, {}).ok());
  }
}

}  // namespace
}  // namespace coxswain::trainer::task
