#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "shim/process_tree.h"
#include "worker/process/environment.h"
#include "worker/process/files.h"
#include "worker/process/log_files.h"
#include "worker/process/processes.h"
#include "worker/process/rank_folder.h"
#include "worker/process/retention.h"

namespace coxswain::worker::process {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class FolderTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/cox-process-test-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    data_ = name;
  }
  void TearDown() override { fs::remove_all(data_); }
  protocol::StartRank Start(uint64_t job = 12) {
    protocol::StartRank start;
    start.key = {base::JobId(job), base::Attempt(2), 3};
    start.incarnation = base::Incarnation(UINT64_MAX);
    start.job_name = "digits";
    start.world_size = 8;
    start.local_rank = 1;
    start.spec_yaml = "a: b\n";
    start.gpu_uuids = {"GPU-a", "GPU-b"};
    start.cpus = 4;
    start.state_prefix = "alpha/j12";
    return start;
  }
  std::string Folder(uint64_t job = 12) { return RankFolder(data_, Start(job).key); }

  std::string data_;
};

TEST_F(FolderTest, Record_ComesBackAsItWas) {
  ASSERT_TRUE(WriteRankFolder(Folder(), Start(), "boot-1").ok());
  EXPECT_EQ(Folder(), data_ + "/jobs/j12/a2/r3");
  auto record = ReadRankFolder(Folder());
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->boot_id, "boot-1");
  EXPECT_EQ(record->start.key, Start().key);
  EXPECT_EQ(record->start.incarnation, Start().incarnation);
  EXPECT_EQ(record->start.gpu_uuids, Start().gpu_uuids);
  EXPECT_EQ(record->start.spec_yaml, "a: b\n");
  EXPECT_EQ(record->start.cpus, 4u);
  EXPECT_EQ(fs::status(Folder() + "/spec.yaml").permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(FolderTest, RecordCutShort_IsAnError) {
  ASSERT_TRUE(WriteRankFolder(Folder(), Start(), "boot-1").ok());
  fs::resize_file(Folder() + "/rank", 40);
  EXPECT_EQ(ReadRankFolder(Folder()).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(FolderTest, AcknowledgedRanksAreNotFoundAgain) {
  ASSERT_TRUE(WriteRankFolder(Folder(), Start(), "boot-1").ok());
  EXPECT_THAT(FindRankFolders(data_), Contains(Folder()));
  ASSERT_TRUE(MarkAcknowledged(Folder()).ok());
  EXPECT_THAT(FindRankFolders(data_), IsEmpty());
}

TEST_F(FolderTest, AnotherIncarnation_SetsTheOldFolderAside) {
  ASSERT_TRUE(WriteRankFolder(Folder(), Start(), "boot-1").ok());
  std::ofstream(Folder() + "/stdout.0") << "old";
  ASSERT_TRUE(WriteRankFolder(Folder(), Start(), "boot-1").ok());
  EXPECT_FALSE(fs::exists(Folder() + "/stdout.0"));
  EXPECT_TRUE(fs::exists(Folder() + "-old1/stdout.0"));
  EXPECT_EQ(FindRankFolders(data_).size(), 1u);
}

TEST_F(FolderTest, LostExit_SaysWhatIsKnown) {
  ASSERT_TRUE(WriteRankFolder(Folder(), Start(), "boot-1").ok());
  EXPECT_FALSE(ShimLives(Folder()));
  EXPECT_EQ(LostExit(Folder(), "boot-1", "boot-2").note, "the machine was restarted");
  EXPECT_THAT(LostExit(Folder(), "boot-1", "boot-1").note, HasSubstr("could not be started"));
  std::ofstream(Folder() + "/process") << base::EncodeIdentity({4194303, 1, "boot-1"});
  EXPECT_EQ(LostExit(Folder(), "boot-1", "boot-1").note, "exit record lost: shim killed");
}

// The worker of a copied data directory is refused, but it looks at its ranks before that.
TEST_F(FolderTest, LostExit_InACopiedFolder_TouchesNoProcess) {
  const std::string boot = MachineBootId();
  ASSERT_TRUE(WriteRankFolder(Folder(), Start(), boot).ok());
  pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  std::ofstream(Folder() + "/process")
      << base::EncodeIdentity({child, shim::StartTicks(child), boot});
  const std::string copy = data_ + "/copy";
  fs::copy(Folder(), copy, fs::copy_options::recursive);
  EXPECT_THAT(LostExit(copy, boot, boot).note, HasSubstr("is a copy of another one's"));
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, WNOHANG), 0) << "it lives";
  EXPECT_EQ(LostExit(Folder(), boot, boot).note, "exit record lost: shim killed");
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

TEST_F(FolderTest, Retention_RemovesWhatIsOverOldestFirst) {
  for (uint64_t job : {1, 2, 3}) {
    ASSERT_TRUE(WriteRankFolder(Folder(job), Start(job), "boot-1").ok());
    std::ofstream(Folder(job) + "/stdout.0") << std::string(100'000, 'x');
    if (job != 3) {
      ASSERT_TRUE(MarkAcknowledged(Folder(job)).ok());
    }
    ASSERT_TRUE(MarkForgotten(data_, base::JobId(job)).ok());
  }
  base::WallTime now{time(nullptr) * 1'000'000};
  Retention keep{std::chrono::hours(1), 150'000, false};
  EXPECT_EQ(RemoveOldFolders(data_, keep, now), 1);
  EXPECT_FALSE(fs::exists(data_ + "/jobs/j1"));
  EXPECT_TRUE(fs::exists(data_ + "/jobs/j2"));
  EXPECT_EQ(RemoveOldFolders(data_, keep, now), 0);
  EXPECT_EQ(RemoveOldFolders(data_, keep, now + std::chrono::hours(2)), 1);
  EXPECT_TRUE(fs::exists(data_ + "/jobs/j3"));  // its end is not acknowledged
}

TEST_F(FolderTest, LogFiles_ReadOverRotation) {
  std::ofstream(data_ + "/stdout.10") << "abcde\nfgh\n";
  std::ofstream(data_ + "/stdout.20") << "ijk\nlm";
  LogFiles log(data_, false);
  EXPECT_EQ(log.Range()->oldest, 10u);
  EXPECT_EQ(log.Range()->end, 26u);
  EXPECT_EQ(*log.Read(10, 100), "abcde\nfgh\n");
  EXPECT_EQ(*log.Read(20, 100), "ijk\nlm");
  EXPECT_EQ(*log.Read(23, 1), "\n");
  EXPECT_EQ(*log.Read(26, 100), "");
  EXPECT_EQ(log.Read(9, 1).status().message(), "rotated away: the oldest byte kept is 10");
  EXPECT_EQ(*log.TailOffset(1), 24u);
  EXPECT_EQ(*log.TailOffset(2), 20u);
  EXPECT_EQ(*log.TailOffset(3), 16u);
  EXPECT_EQ(*log.TailOffset(100), 10u);
  EXPECT_EQ(LogFiles(data_, true).Range().status().code(), absl::StatusCode::kNotFound);
}

TEST(Processes, IdentityNeedsPidStartAndBoot) {
  base::ProcessIdentity self{getpid(), shim::StartTicks(getpid()), MachineBootId()};
  EXPECT_TRUE(Lives(self, MachineBootId()));
  EXPECT_FALSE(Lives(self, "another boot"));
  self.start_ticks += 1;
  EXPECT_FALSE(Lives(self, MachineBootId()));
  KillRemnants(self, MachineBootId());  // someone else has the number now: nothing happens
}

TEST(Files, TryToWrite_LeavesNothingAndNamesTheFolder) {
  std::string pattern = std::filesystem::temp_directory_path() / "probeXXXXXX";
  std::string folder = mkdtemp(pattern.data());
  EXPECT_TRUE(TryToWrite(folder).ok());
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  std::filesystem::remove(folder);
  EXPECT_EQ(TryToWrite(folder).message(), folder + ": No such file or directory");
}

TEST(RankEnvironment, TellsTheRankAndKeepsThePrivateBack) {
  Surroundings surroundings;
  surroundings.inherited = {{"AWS_SECRET_ACCESS_KEY", "s"},
                            {"COX_TOKEN", "t"},
                            {"COXSWAIN_TORCH", "/opt/torch"},
                            {"PATH", "/bin"},
                            {"CUDA_VISIBLE_DEVICES", "0"}};
  surroundings.trainer_socket = "/d/trainer.sock";
  surroundings.port_first = 29500;
  surroundings.port_last = 29599;
  protocol::StartRank start;
  start.key = {base::JobId(12), base::Attempt(2), 0};
  start.gpu_uuids = {"GPU-a", "GPU-b"};
  auto environment =
      RankEnvironment(surroundings, start, {{"OMP_NUM_THREADS", "9"}, {"A", "b"}}, "/f");
  EXPECT_THAT(environment, Contains("COXSWAIN_RANK_KEY=j12/2/0"));
  EXPECT_THAT(environment, Contains("CUDA_VISIBLE_DEVICES=GPU-a,GPU-b"));
  EXPECT_THAT(environment, Contains("AWS_SECRET_ACCESS_KEY=s"));
  EXPECT_THAT(environment, Contains("COXSWAIN_TORCH=/opt/torch"));
  EXPECT_THAT(environment, Contains("OMP_NUM_THREADS=9"));
  EXPECT_THAT(environment, Contains("A=b"));
  EXPECT_THAT(environment, Contains("COXSWAIN_TRAINER_PORTS=29500-29599"));
  EXPECT_THAT(environment, Contains("COXSWAIN_SPEC=/f/spec.yaml"));
  EXPECT_THAT(environment, Not(Contains(HasSubstr("COX_TOKEN"))));
}

}  // namespace
}  // namespace coxswain::worker::process
