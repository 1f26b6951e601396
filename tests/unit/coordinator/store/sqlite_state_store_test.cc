// What is special to SQLite: one owner, versions, damaged files, places that cannot be written.
#include <gmock/gmock.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include <fstream>

#include "coordinator/store/data_lock.h"
#include "coordinator/store/schema.h"
#include "sample_rows.h"
#include "state_store_conformance.h"

namespace coxswain::coordinator::store {
namespace {

using testing::HasSubstr;

absl::StatusOr<std::unique_ptr<StateStore>> OpenIn(const std::string& folder) {
  SqliteOptions options;
  options.path = folder + "/state.db";
  return OpenSqliteStore(options);
}

class SqliteStateStore : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = (std::filesystem::temp_directory_path() / "cox-sqlite-XXXXXX").string();
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  // Makes a store with `jobs` jobs, and closes it.
  void Fill(uint64_t jobs) {
    auto store = OpenIn(folder_);
    ASSERT_TRUE(store.ok()) << store.status();
    ASSERT_TRUE((*store)->Load(core::ClusterId("c")).ok());
    std::vector<core::Change> changes;
    for (uint64_t id = 1; id <= jobs; ++id) changes.push_back(SampleJob(id));
    ASSERT_TRUE((*store)->Commit(changes).ok());
  }
  void Execute(const std::string& sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open((folder_ + "/state.db").c_str(), &db), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(db);
  }
  std::string OpenError() {
    auto store = OpenIn(folder_);
    return store.ok() ? "opened" : std::string(store.status().message());
  }

  std::string folder_;
};

TEST_F(SqliteStateStore, SecondOwner_IsToldWhoTheFirstIs) {
  auto first = OpenIn(folder_);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(OpenError(), "another coordinator (pid " + std::to_string(getpid()) + ") uses " +
                             folder_ + ": stop it, or choose another --data-dir");
  first->reset();
  EXPECT_EQ(OpenError(), "opened");
}

TEST_F(SqliteStateStore, NewerVersion_IsRefusedUnchanged) {
  Fill(1);
  Execute("PRAGMA user_version = 99");
  EXPECT_THAT(OpenError(), HasSubstr("has schema version 99, this coordinator knows up to "));
  Execute("PRAGMA user_version = " + std::to_string(kStateMigrations.size()));
  EXPECT_EQ(OpenError(), "opened");
}

TEST_F(SqliteStateStore, ForeignFile_IsRefused) {
  Execute("CREATE TABLE t(x)");
  EXPECT_THAT(OpenError(), HasSubstr("was not made by Coxswain"));
}

TEST_F(SqliteStateStore, DamagedFile_SaysSo) {
  std::ofstream(folder_ + "/state.db") << std::string(8192, 'x');
  EXPECT_THAT(OpenError(), HasSubstr("is damaged (file is not a database): restore it"));
}

TEST_F(SqliteStateStore, FileCutShort_SaysSo) {
  Fill(100);
  std::filesystem::resize_file(folder_ + "/state.db",
                               std::filesystem::file_size(folder_ + "/state.db") / 2);
  EXPECT_THAT(OpenError(), HasSubstr("is damaged ("));
}

TEST_F(SqliteStateStore, FileThatIsAFolder_SaysWhatToDo) {
  std::filesystem::create_directory(folder_ + "/state.db");
  EXPECT_THAT(OpenError(), HasSubstr("cannot write " + folder_ + "/state.db"));
}

TEST_F(SqliteStateStore, MissingFolder_SaysWhatToDo) {
  std::filesystem::remove_all(folder_);
  EXPECT_EQ(OpenError(), "cannot write to " + folder_ +
                             " (No such file or directory): give the coordinator's user write "
                             "access, or choose another --data-dir");
}

TEST_F(SqliteStateStore, FullDisk_FailsWholeAndRecovers) {
  auto store = OpenIn(folder_);
  ASSERT_TRUE(store.ok());
  ASSERT_TRUE((*store)->Load(core::ClusterId("c")).ok());
  // A limit on the size of files acts like a full disk; SQLite's own is per connection, so the
  // process's it is.
  struct rlimit old, tight;
  getrlimit(RLIMIT_FSIZE, &old);
  tight = old;
  tight.rlim_cur = 64 << 10;
  auto handler = signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &tight);
  std::vector<core::Change> many;
  for (uint64_t id = 1; id <= 500; ++id) many.push_back(SampleJob(id));
  absl::Status status = (*store)->Commit(many);
  setrlimit(RLIMIT_FSIZE, &old);
  signal(SIGXFSZ, handler);
  EXPECT_FALSE(status.ok());
  EXPECT_FALSE(absl::IsDataLoss(status)) << status;
  EXPECT_TRUE((*store)->Load(core::ClusterId("c"))->jobs.empty());
  EXPECT_TRUE((*store)->Commit(many).ok());
  EXPECT_EQ((*store)->Load(core::ClusterId("c"))->jobs.size(), 500u);
}

TEST_F(SqliteStateStore, UnreadableNestedPart_IsDamage) {
  Fill(1);
  Execute("UPDATE jobs SET request = 'not json'");
  auto store = OpenIn(folder_);
  ASSERT_TRUE(store.ok());
  EXPECT_THAT(std::string((*store)->Load(core::ClusterId("c")).status().message()),
              HasSubstr("unreadable JSON in table jobs"));
}

TEST(SqliteErrors, EachKind_SaysWhatToDo) {
  EXPECT_EQ(SqliteError(SQLITE_FULL, 0, "database or disk is full", "/d/state.db").message(),
            "no space left on the disk of /d/state.db: free some space");
  EXPECT_TRUE(absl::IsDataLoss(SqliteError(SQLITE_IOERR_FSYNC, EIO, "", "/d/state.db")));
  EXPECT_TRUE(absl::IsPermissionDenied(SqliteError(SQLITE_READONLY, 0, "", "/d/state.db")));
  EXPECT_TRUE(absl::IsUnavailable(SqliteError(SQLITE_IOERR_WRITE, EIO, "", "/d/state.db")));
}

class Migration : public SqliteStateStore {
 protected:
  absl::Status OpenWith(Migrations migrations) {
    return OpenWriter(folder_ + "/state.db", migrations, "", true).status();
  }
};

TEST_F(Migration, OlderFile_IsBackedUpAndBroughtForward) {
  const char* const steps[] = {"CREATE TABLE t(x); INSERT INTO t VALUES (1)",
                               "ALTER TABLE t ADD COLUMN y; UPDATE t SET y = x + 1",
                               "UPDATE t SET y = y * 10"};
  ASSERT_TRUE(OpenWith(Migrations(steps, 1)).ok());
  ASSERT_TRUE(OpenWith(Migrations(steps, 3)).ok());
  auto now = Connection::Open(folder_ + "/state.db", SQLITE_OPEN_READONLY, "");
  EXPECT_EQ(*(*now)->QueryInt("SELECT y FROM t"), 20);
  EXPECT_EQ(*(*now)->QueryInt("PRAGMA user_version"), 3);
  auto backup = Connection::Open(folder_ + "/state.db.v1-backup", SQLITE_OPEN_READONLY, "");
  EXPECT_EQ(*(*backup)->QueryInt("PRAGMA user_version"), 1);
  EXPECT_EQ(*(*backup)->QueryInt("SELECT x FROM t"), 1);
}

TEST_F(Migration, FailedStep_LeavesTheOldVersionWhole) {
  const char* const steps[] = {"CREATE TABLE t(x)", "CREATE TABLE u(x)", "NOT SQL"};
  ASSERT_TRUE(OpenWith(Migrations(steps, 1)).ok());
  EXPECT_FALSE(OpenWith(Migrations(steps, 3)).ok());
  auto now = Connection::Open(folder_ + "/state.db", SQLITE_OPEN_READONLY, "");
  EXPECT_EQ(*(*now)->QueryInt("PRAGMA user_version"), 1);
  EXPECT_EQ(*(*now)->QueryInt("SELECT count(*) FROM sqlite_schema"), 1);
}

INSTANTIATE_TEST_SUITE_P(Sqlite, StateStoreConformance, testing::Values(&OpenIn));

}  // namespace
}  // namespace coxswain::coordinator::store
