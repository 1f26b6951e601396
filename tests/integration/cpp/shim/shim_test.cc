#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <thread>

#include "tests/integration/cpp/shim/shim_fixture.h"

namespace coxswain::shim {
namespace {

using Clock = std::chrono::steady_clock;

bool Alive(pid_t pid) {
  if (kill(pid, 0) != 0) return false;
  std::string stat = ReadText("/proc/" + std::to_string(pid) + "/stat");
  return stat.find(") Z") == std::string::npos;
}

TEST_F(ShimTest, ExitCodeAndLogsAreKept) {
  StartScript("echo to stdout; echo first >&2; echo last >&2; exit 7");
  base::ShimExit exit = WaitForExit();
  EXPECT_EQ(exit.code, 7);
  EXPECT_EQ(exit.signal, 0);
  EXPECT_FALSE(exit.stopped);
  EXPECT_EQ(exit.last_log, "first\nlast\n");
  EXPECT_GT(exit.peak_rss_bytes, 0);
  EXPECT_GE(exit.ended.us, exit.started.us);
  EXPECT_EQ(WaitForShim(), 0);
  EXPECT_EQ(RecordOnDisk(), exit);
  EXPECT_EQ(Log("stdout"), "to stdout\n");
  EXPECT_EQ(Log("stderr"), "first\nlast\n");
  EXPECT_FALSE(std::filesystem::exists(folder_ / base::kShimSocketFile));
}

TEST_F(ShimTest, ProgramMissing_RecordSaysSo) {
  Start({"/no/such/program"});
  base::ShimExit exit = WaitForExit();
  EXPECT_EQ(exit.code, 127);
  EXPECT_EQ(exit.note,
            "the program could not be started: /no/such/program: No such file or directory");
}

TEST_F(ShimTest, KilledFromOutside_SignalIsRecorded) {
  StartScript("kill -SEGV $$");
  base::ShimExit exit = WaitForExit();
  EXPECT_EQ(exit.signal, SIGSEGV);
  EXPECT_EQ(exit.code, 0);
  EXPECT_FALSE(exit.stopped);
}

TEST_F(ShimTest, StdoutServesAsLastLogWhenStderrIsEmpty) {
  StartScript("echo only here");
  EXPECT_EQ(WaitForExit().last_log, "only here\n");
}

TEST_F(ShimTest, StdoutComesFirstWhenStderrHasOnlyOurOwnLog) {
  const std::string ours = "2026-11-21T17:08:53.851266Z error cox-trainer[7]: it ended with 1";
  StartScript("echo '" + ours + "' >&2; echo boom");
  EXPECT_EQ(WaitForExit().last_log, "boom\n" + ours + "\n");
}

TEST_F(ShimTest, Stop_GivesTheGraceThenKillsTheWholeTree) {
  // A child that ignores SIGTERM, in a session of its own, whose parent has gone.
  StartScript(
      "trap '' TERM; (setsid sh -c 'trap \"\" TERM; echo $$ > far; sleep 60' &) ; "
      "while [ ! -s far ]; do sleep 0.01; done; echo up; sleep 60 & wait; sleep 60");
  WaitUntilRunning();
  while (Log("stdout") != "up\n") usleep(1000);
  pid_t far = std::stoi(ReadText(folder_ / "far"));
  ASSERT_TRUE(Alive(far));
  auto before = Clock::now();
  Say("stop 200");
  base::ShimExit exit = WaitForExit();
  EXPECT_GE(Clock::now() - before, std::chrono::milliseconds(190));
  EXPECT_EQ(exit.signal, SIGKILL);
  EXPECT_TRUE(exit.stopped);
  EXPECT_FALSE(exit.oom_killed);
  EXPECT_FALSE(Alive(far));
}

TEST_F(ShimTest, Stop_ProgramEndsByItselfWithinTheGrace) {
  StartScript("trap 'echo saved; exit 13' TERM; echo up; while :; do sleep 0.01; done");
  WaitUntilRunning();
  while (Log("stdout") != "up\n") usleep(1000);
  Say("stop 20000");
  base::ShimExit exit = WaitForExit();
  EXPECT_EQ(exit.code, 13);
  EXPECT_TRUE(exit.stopped);
  EXPECT_EQ(Log("stdout"), "up\nsaved\n");
}

TEST_F(ShimTest, Stop_ReachesAStoppedProcess) {
  StartScript("trap 'exit 5' TERM; echo up; kill -STOP $$; sleep 60");
  WaitUntilRunning();
  while (Log("stdout") != "up\n") usleep(1000);
  Say("stop 20000");
  EXPECT_EQ(WaitForExit().code, 5);
}

TEST_F(ShimTest, WhatTheRankLeftBehindIsEnded) {
  StartScript("sleep 60 & echo $! > left; exit 0");
  base::ShimExit exit = WaitForExit();
  EXPECT_EQ(exit.code, 0);
  EXPECT_FALSE(Alive(std::stoi(ReadText(folder_ / "left"))));
}

TEST_F(ShimTest, LaterWorker_FindsItBySocketAndStopsIt) {
  StartScript("echo up; sleep 60");
  pid_t rank = WaitUntilRunning();
  close(control_);  // the first worker dies
  control_ = -1;
  int fd = Connect();
  Say("subscribe", fd);
  EXPECT_EQ(NextLine(fd).rfind("running " + std::to_string(rank) + " ", 0), 0u);
  auto identity = base::DecodeIdentity(ReadText(folder_ / base::kRankProcessFile));
  ASSERT_TRUE(identity.has_value());
  EXPECT_EQ(identity->pid, rank);
  EXPECT_GT(identity->start_ticks, 0u);
  Say("stop 5000", fd);
  EXPECT_EQ(NextLine(fd), "ok");
  EXPECT_EQ(NextLine(fd).rfind("exited ", 0), 0u);
  EXPECT_EQ(RecordOnDisk().signal, SIGTERM);
  close(fd);
}

TEST_F(ShimTest, SocketIsForThisUserOnly) {
  StartScript("sleep 60");
  WaitUntilRunning();
  close(Connect());
  struct stat info {};
  ASSERT_EQ(stat((folder_ / base::kShimSocketFile).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(ShimTest, UnknownWord_IsAnswered) {
  StartScript("sleep 60");
  WaitUntilRunning();
  Say("dance");
  EXPECT_EQ(NextLine(),
            "error 'dance': expected status, subscribe, signal N, stop GRACE_MS or (after the "
            "exit) release");
  Say("signal 15");
  EXPECT_EQ(NextLine(), "ok");
  EXPECT_EQ(WaitForExit().signal, SIGTERM);
}

TEST_F(ShimTest, LifelineCloses_RankEnds) {
  int lifeline[2];
  ASSERT_EQ(pipe2(lifeline, O_CLOEXEC), 0);
  lifeline_read_ = fcntl(lifeline[0], F_DUPFD_CLOEXEC, 10);
  StartScript("sleep 60", {"--lifeline-fd", "4", "--grace-ms", "2000"});
  WaitUntilRunning();
  close(lifeline[0]);
  close(lifeline[1]);
  base::ShimExit exit = WaitForExit();
  EXPECT_EQ(exit.signal, SIGTERM);
  EXPECT_TRUE(exit.stopped);
}

TEST_F(ShimTest, ShimKilled_RankDiesWithIt) {
  StartScript("sleep 60");
  pid_t rank = WaitUntilRunning();
  kill(pid_, SIGKILL);
  WaitForShim();
  for (int i = 0; i < 2000 && Alive(rank); ++i) usleep(1000);
  EXPECT_FALSE(Alive(rank));
}

TEST_F(ShimTest, FolderPathLongerThanASocketAddress) {
  folder_ = root_ / std::string(100, 'a') / std::string(100, 'b');
  std::filesystem::create_directories(folder_);
  StartScript("sleep 60");
  WaitUntilRunning();
  int fd = Connect();
  Say("status", fd);
  EXPECT_EQ(NextLine(fd).rfind("running ", 0), 0u);
  close(fd);
}

TEST_F(ShimTest, LogsRotateAndOffsetsStayTrue) {
  StartScript("seq 1 100000", {"--log-file-bytes", "8192", "--log-files", "8"});
  WaitForExit();
  std::string whole;
  for (int i = 1; i <= 100000; ++i) whole += std::to_string(i) + "\n";
  uint64_t oldest = 0;
  std::string kept = Log("stdout", &oldest);
  EXPECT_GE(kept.size(), 65536u - 8192u);
  EXPECT_LE(kept.size(), 65536u);
  EXPECT_EQ(oldest + kept.size(), whole.size());
  EXPECT_EQ(kept, whole.substr(oldest));
}

TEST_F(ShimTest, FolderRemoved_EndsWithItsRank) {
  folder_ = root_ / "rank";
  std::filesystem::create_directory(folder_);
  std::filesystem::path start = root_ / "start";
  StartScript("until [ -e " + start.string() + " ]; do sleep 0.01; done");
  WaitUntilRunning();
  std::filesystem::remove_all(folder_);
  std::ofstream(start).put('x');
  EXPECT_EQ(WaitForExit().code, 0);
  EXPECT_EQ(WaitForShim(), 0) << "a shim that nobody can find again must not wait for ever";
}

TEST_F(ShimTest, FullDisk_NeverBlocksTheRankAndKeepsTheRecord) {
  if (mount("tmpfs", root_.c_str(), "tmpfs", 0, "size=256k,mode=0700") != 0) {
    GTEST_SKIP() << "needs the right to mount a tmpfs: " << strerror(errno);
  }
  folder_ = root_ / "rank";
  std::filesystem::create_directory(folder_);
  // 8 MB on each stream, far more than the disk takes even with rotation (limit 64 MiB).
  StartScript("head -c 8000000 /dev/zero; head -c 8000000 /dev/zero >&2; echo done >&2; exit 3");
  base::ShimExit exit = WaitForExit();
  EXPECT_EQ(exit.code, 3);
  EXPECT_NE(exit.last_log.find("done"), std::string::npos);
  EXPECT_EQ(WaitForShim(), 0);
  EXPECT_EQ(RecordOnDisk().code, 3);
  umount2(root_.c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace coxswain::shim
