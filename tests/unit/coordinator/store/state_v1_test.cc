// A state.db that version 1 of the schema left behind, jobs and all: opened, brought forward,
// served.
#include <gmock/gmock.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "coordinator/store/schema.h"
#include "coordinator/store/state_store.h"

namespace coxswain::coordinator::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class StateOfVersion1 : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = (std::filesystem::temp_directory_path() / "cox-state-v1-XXXXXX").string();
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
    std::ifstream file(COX_STATE_V1);
    std::stringstream text;
    text << file.rdbuf();
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(Path().c_str(), &db), SQLITE_OK);
    char* error = nullptr;
    std::string all = "PRAGMA synchronous = OFF; BEGIN; " + text.str() + "COMMIT";
    ASSERT_EQ(sqlite3_exec(db, all.c_str(), nullptr, nullptr, &error), SQLITE_OK) << error;
    sqlite3_close(db);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string Path() const { return folder_ + "/state.db"; }
  void Open() {
    SqliteOptions options;
    options.path = Path();
    auto store = OpenSqliteStore(options);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  // One number of a file as it lies on the disk.
  static int64_t Number(const std::string& path, const std::string& sql) {
    auto file = Connection::Open(path, SQLITE_OPEN_READONLY, "");
    EXPECT_TRUE(file.ok()) << file.status();
    auto number = (*file)->QueryInt(sql);
    EXPECT_TRUE(number.ok()) << number.status();
    return number.value_or(-1);
  }

  std::string folder_;
  std::unique_ptr<StateStore> store_;
};

TEST_F(StateOfVersion1, Opened_IsBackedUpAndOfTheNewestVersion) {
  ASSERT_NO_FATAL_FAILURE(Open());
  std::string backup = Path() + ".v1-backup";
  EXPECT_EQ(Number(Path(), "PRAGMA user_version"), static_cast<int64_t>(kStateMigrations.size()));
  EXPECT_EQ(Number(backup, "PRAGMA user_version"), 1);
  EXPECT_EQ(Number(backup, "SELECT count(*) FROM jobs"), 4);
  EXPECT_EQ(Number(backup,
                   "SELECT count(*) FROM pragma_table_info('jobs') "
                   "WHERE name = 'last_progress'"),
            0);
}

TEST_F(StateOfVersion1, Loaded_HasWhatAStartNeeds) {
  ASSERT_NO_FATAL_FAILURE(Open());
  auto snapshot = store_->Load(core::ClusterId("another"));
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_EQ(snapshot->cluster.id.value, "cluster-of-version-1");
  EXPECT_EQ(snapshot->cluster.term, core::Term(7));
  EXPECT_EQ(snapshot->cluster.last_job, core::JobId(4));
  std::vector<std::string> names;
  for (const core::JobRow& job : snapshot->jobs) names.push_back(job.request.name);
  // "digits" has ended, but its last checkpoint is not verified yet.
  EXPECT_THAT(names, ElementsAre("digits", "waits", "runs"));
  EXPECT_EQ(snapshot->jobs[1].request.cpus, 64u);
  EXPECT_THAT(snapshot->jobs[1].request.resume_from, IsEmpty());
  EXPECT_THAT(snapshot->jobs[1].spec_yaml, HasSubstr("name: waits"));
  ASSERT_EQ(snapshot->ranks.size(), 1u);
  EXPECT_EQ(snapshot->ranks[0].incarnation, core::Incarnation(4000));
  ASSERT_EQ(snapshot->generations.size(), 1u);
  EXPECT_EQ(snapshot->generations[0].members.size(), 1u);
  EXPECT_EQ(snapshot->checkpoints.size(), 3u) << "all but the deleted one";
  ASSERT_EQ(snapshot->nodes.size(), 1u);
  EXPECT_EQ(snapshot->nodes[0].inventory.cpu_slots, 4u);
}

TEST_F(StateOfVersion1, Read_ServesItsJobs) {
  ASSERT_NO_FATAL_FAILURE(Open());
  auto reader = store_->NewReader();
  ASSERT_TRUE(reader.ok()) << reader.status();
  auto jobs = (*reader)->ListJobs({});
  ASSERT_TRUE(jobs.ok()) << jobs.status();
  std::vector<std::string> seen;
  for (const JobRecord& each : *jobs) {
    seen.push_back(each.job.request.name + " " + ToString(each.job.state));
  }
  EXPECT_THAT(seen,
              ElementsAre("runs RUNNING", "waits PENDING", "typo FAILED", "digits COMPLETED"));
  auto typo = (*reader)->GetJob(core::JobId(2));
  ASSERT_TRUE(typo.ok()) << typo.status();
  ASSERT_TRUE(typo->job.exit.has_value());
  EXPECT_EQ(typo->job.exit->record.code, 3);
  EXPECT_FALSE(typo->job.last_progress.has_value()) << "version 1 did not keep it";
  ASSERT_EQ(typo->attempts.size(), 1u);
  EXPECT_EQ(typo->attempts[0].last_step, 7);
  auto digits = (*reader)->GetJob(core::JobId(1));
  ASSERT_TRUE(digits.ok()) << digits.status();
  ASSERT_TRUE(digits->last_checkpoint.has_value());
  EXPECT_EQ(digits->last_checkpoint->id, core::CheckpointId(3));
  EXPECT_EQ((*reader)->ListEvents(core::JobId(), core::EventSeq(), 100)->size(), 6u);
  std::string digest;
  EXPECT_EQ(*(*reader)->FindIdempotencyKey("key-3", &digest), core::JobId(3));
  EXPECT_EQ(digest, "digest-3");
}

// Rows of both versions live side by side from now on, and no second backup is made.
TEST_F(StateOfVersion1, Changed_KeepsTheChangeOverTheNextStart) {
  ASSERT_NO_FATAL_FAILURE(Open());
  auto snapshot = store_->Load(core::ClusterId("another"));
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  core::JobRow job = snapshot->jobs[2];
  job.last_progress = core::LastProgress{.progress = {}, .at = base::WallTime{6}};
  job.last_progress->progress.step = 51;
  const core::Change change = job;
  ASSERT_TRUE(store_->Commit({&change, 1}).ok());
  store_.reset();
  std::filesystem::remove(Path() + ".v1-backup");
  ASSERT_NO_FATAL_FAILURE(Open());
  snapshot = store_->Load(core::ClusterId("another"));
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_TRUE(snapshot->jobs[2] == job);
  EXPECT_FALSE(std::filesystem::exists(Path() + ".v1-backup"));
}

}  // namespace
}  // namespace coxswain::coordinator::store
