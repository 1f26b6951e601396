// What a worker cannot work with: one clear line each, and the right exit code.
#include "common/base/exit_codes.h"
#include "tests/integration/cpp/worker/worker_fixture.h"

namespace coxswain::worker {
namespace {

TEST_F(WorkerTest, Rejected_EndsWithOneLineAndCode78) {
  StartWorker();
  coordinator_->Next<protocol::WorkerHello>();
  coordinator_->Send(protocol::Rejected{"another worker has this node id: do this", true});
  EXPECT_EQ(ExitCode(), 78);
  EXPECT_NE(LastLine().find("does not take this worker: another worker has this node id: do this"),
            std::string::npos)
      << LastLine();
}

TEST_F(WorkerTest, WrongToken_EndsWithOneLineAndCode78) {
  std::ofstream(root_ / "token") << "another-token-here\n";
  StartWorker();
  EXPECT_EQ(ExitCode(), 78);
  EXPECT_NE(LastLine().find("refuses this worker's token"), std::string::npos) << LastLine();
}

TEST_F(WorkerTest, AddressOfAnotherMachine_EndsWithFileLineAndKeyAndCode78) {
  std::ofstream(root_ / "worker.yaml") << "# the worker\nadvertise_address: 203.0.113.7\n";
  StartWorker({"--config", (root_ / "worker.yaml").string()});
  EXPECT_EQ(ExitCode(), 78);
  EXPECT_EQ(ReadText(root_ / log_name_)
                .find((root_ / "worker.yaml").string() +
                      ":2: advertise_address: found \"203.0.113.7\", which is no address of this "
                      "machine; expected"),
            0u)
      << ReadText(root_ / log_name_);
  EXPECT_FALSE(fs::exists(data_)) << "nothing is begun";
}

TEST_F(WorkerTest, AnotherCluster_EndsWithOneLineAndCode78) {
  StartWorker();
  coordinator_->Welcome();
  coordinator_->Next<protocol::Heartbeat>();
  KillWorker();
  StartWorker();
  coordinator_->Welcome(base::Term(9), "cluster-2");
  EXPECT_EQ(ExitCode(), 78);
  EXPECT_NE(LastLine().find("belongs to cluster cluster-1, but the coordinator"), std::string::npos)
      << LastLine();
}

TEST_F(WorkerTest, SecondWorkerInTheFolder_EndsWithOneLine) {
  StartWorker();
  coordinator_->Welcome();
  pid_t first = pid_;
  log_name_ = "second.log";
  StartWorker();
  EXPECT_EQ(ExitCode(), base::kDaemonBusy);
  EXPECT_NE(LastLine().find("another cox-worker (pid " + std::to_string(first) + ")"),
            std::string::npos)
      << LastLine();
  pid_ = first;
}

TEST_F(WorkerTest, FullDisk_EndsWithOneLine) {
  fs::create_directory(data_);
  if (mount("tmpfs", data_.c_str(), "tmpfs", 0, "size=64k,mode=0700") != 0) {
    GTEST_SKIP() << "needs the right to mount a tmpfs: " << strerror(errno);
  }
  mounted_ = true;
  std::ofstream(data_ / "filler") << std::string(1 << 20, 'x');
  StartWorker();
  EXPECT_EQ(ExitCode(), base::kDaemonDisk);
  EXPECT_NE(LastLine().find("No space left on device: free some space"), std::string::npos)
      << LastLine();
}

TEST_F(WorkerTest, ReadOnlyFolder_EndsWithOneLine) {
  fs::create_directory(data_);
  if (mount("tmpfs", data_.c_str(), "tmpfs", MS_RDONLY, "size=64k,mode=0700") != 0) {
    GTEST_SKIP() << "needs the right to mount a tmpfs: " << strerror(errno);
  }
  mounted_ = true;
  StartWorker();
  EXPECT_EQ(ExitCode(), 78);
  EXPECT_NE(LastLine().find("Read-only file system: give a directory"), std::string::npos)
      << LastLine();
}

}  // namespace
}  // namespace coxswain::worker
