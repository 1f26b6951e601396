// What is said when no checkpoint can be used: whose fault it is, which object, what to do.
#include "trainer/runtime/restore.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/trainer/blob/sample_state.h"
#include "trainer/runtime/engine_loop.h"

namespace coxswain::trainer {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class RestoreTest : public ::testing::Test {
 protected:
  RestoreTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "restoreXXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~RestoreTest() override { std::filesystem::remove_all(folder_); }

  std::string Save(const std::string& name, bool commit = true) {
    std::string uri = "file://" + folder_ + "/" + name;
    auto store = blob::OpenStore(uri, {}).value();
    std::string hash = blob::SampleState(7).Save(*store, 2).value();
    if (commit) {
      EXPECT_TRUE(blob::StoreCommitted(*store, hash).ok());
    }
    return uri;
  }
  // One bit of the second shard's data; its name.
  std::string Damage(const std::string& name) {
    std::string shard =
        folder_ + "/" + name + "/" + blob::SampleState(7).Shard(1, 2)->shard().object;
    std::fstream file(shard, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(-1, std::ios::end);
    char last = static_cast<char>(file.get() ^ 1);
    file.seekp(-1, std::ios::end);
    file.put(last);
    return shard;
  }
  // Ids 0: asked for by a user.
  absl::Status Run(const std::vector<std::string>& uris, uint64_t id = 0) {
    protocol::FormGeneration form;
    for (const std::string& uri : uris) form.restore.push_back({base::CheckpointId(id), uri, ""});
    report_ = {};
    auto state = Restorer({}).Run(form, &report_);
    restored_ = state.ok() && *state != nullptr;
    return state.status();
  }

  std::string folder_;
  RestoreReport report_;
  bool restored_ = false;
};

TEST_F(RestoreTest, NamedAndMissingOrUncommitted_IsTheUsers) {
  std::string nowhere = "file://" + folder_ + "/nowhere";
  absl::Status missing = Run({nowhere}), open = Run({Save("open", false)});
  EXPECT_EQ(FailureOf(missing, protocol::FailureKind::kSettings).exit_code,
            protocol::kExitUserError);
  EXPECT_THAT(
      std::string(missing.message()),
      AllOf(HasSubstr("the checkpoint to resume from cannot be used: no checkpoint at " + nowhere),
            HasSubstr("; give another one to --resume-from")));
  EXPECT_EQ(FailureOf(open, protocol::FailureKind::kSettings).exit_code, protocol::kExitUserError);
  EXPECT_THAT(std::string(open.message()), HasSubstr("was never committed"));
}

TEST_F(RestoreTest, NamedAndDamaged_IsTheStoragesAndNamesTheShard) {
  std::string uri = Save("damaged"), shard = Damage("damaged");
  absl::Status status = Run({uri});
  EXPECT_EQ(FailureOf(status, protocol::FailureKind::kSettings).exit_code,
            protocol::kExitInfrastructure)
      << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("the checkpoint to resume from is damaged: shard file://" + shard +
                              " is corrupt: found hash "),
                    HasSubstr(", expected "), HasSubstr("; give another one to --resume-from")));
}

TEST_F(RestoreTest, OfAJobsTheOneBeforeIsTaken_AllDamagedIsNoStartAfresh) {
  std::string newer = Save("newer"), older = Save("older");
  Damage("newer");
  EXPECT_TRUE(Run({newer, older}).ok() && restored_);
  EXPECT_EQ(report_.uri, older);
  EXPECT_TRUE(report_.refused.size() == 1 && report_.refused[0].corrupt);
  Damage("older");
  EXPECT_THAT(std::string(Run({newer, older}).message()),
              HasSubstr("none of the 2 checkpoints to resume from can be used; the newest is "
                        "damaged: shard "));
}

TEST_F(RestoreTest, TheJobsOwnAllDamaged_StartsAfresh) {
  std::string uri = Save("own");
  Damage("own");
  EXPECT_TRUE(Run({uri}, 3).ok() && !restored_);
  EXPECT_EQ(report_.refused.size(), 1u);
}

}  // namespace
}  // namespace coxswain::trainer
