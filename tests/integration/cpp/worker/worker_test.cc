// The real cox-worker, cox-shim and sockets against a coordinator that only records.
#include <set>

#include "common/base/clock.h"
#include "tests/integration/cpp/worker/worker_fixture.h"

namespace coxswain::worker {
namespace {

TEST_F(WorkerTest, RunsARankAndReportsItsEnd) {
  StartWorker();
  auto hello = coordinator_->Welcome();
  EXPECT_EQ(hello.inventory.name, "node-a");
  EXPECT_EQ(hello.inventory.cpu_slots, 4u);
  EXPECT_EQ(hello.inventory.address, "127.0.0.1");
  EXPECT_TRUE(hello.ranks.empty());
  coordinator_->Send(Script("env; echo oops >&2; exit 7"));
  WaitUntilStarted();
  auto exited = coordinator_->Next<protocol::RankExited>();
  EXPECT_EQ(exited.incarnation.value, 77u);
  EXPECT_EQ(exited.exit.code, 7);
  EXPECT_EQ(exited.exit.last_log, "oops\n");
  std::string log = ReadLog(1).data;
  for (const char* line :
       {"COXSWAIN_RANK_KEY=j1/1/0\n", "COXSWAIN_INCARNATION=77\n", "COXSWAIN_WORLD_SIZE=1\n",
        "CUDA_VISIBLE_DEVICES=\n", "OMP_NUM_THREADS=1\n", "COXSWAIN_STATE_PREFIX=cluster-1/j1\n"}) {
    EXPECT_NE(log.find(line), std::string::npos) << line;
  }
  EXPECT_EQ(log.find("COX_TOKEN"), std::string::npos);
  EXPECT_EQ(ReadText(data_ / "jobs/j1/a1/r0/spec.yaml"),
            Script("env; echo oops >&2; exit 7").spec_yaml);
}

TEST_F(WorkerTest, RepeatedOrders_StartOneProcess) {
  StartWorker();
  coordinator_->Welcome();
  auto start = Script("echo run >> runs; sleep 60");
  coordinator_->Send(start);
  int64_t pid = WaitUntilStarted();
  coordinator_->Send(start);
  EXPECT_EQ(WaitUntilStarted(), pid);
  fs::path runs = data_ / "jobs/j1/a1/r0/runs";
  while (ReadText(runs).empty()) usleep(1000);
  EXPECT_EQ(ReadText(runs), "run\n");
  coordinator_->Send(protocol::StopRank{start.key, base::seconds(10), "test"});
  auto exit = coordinator_->Next<protocol::RankExited>().exit;
  EXPECT_EQ(exit.signal, SIGTERM);
  EXPECT_TRUE(exit.stopped_by_us);
}

TEST_F(WorkerTest, WorkerKilled_RankIsAdoptedAndStopped) {
  StartWorker();
  coordinator_->Welcome();
  coordinator_->Send(Script("sleep 60"));
  int64_t pid = WaitUntilStarted();
  KillWorker();
  EXPECT_TRUE(Alive(pid));
  StartWorker();
  auto hello = coordinator_->Welcome();
  ASSERT_EQ(hello.ranks.size(), 1u);
  EXPECT_EQ(hello.ranks[0].pid, pid);
  EXPECT_EQ(hello.ranks[0].incarnation.value, 77u);
  EXPECT_NE(hello.ranks[0].state, protocol::RankState::kExited);
  EXPECT_EQ(hello.cluster.value, "cluster-1");
  EXPECT_EQ(hello.highest_term.value, 1u);
  coordinator_->Send(protocol::StopRank{hello.ranks[0].key, base::seconds(10), "test"});
  EXPECT_EQ(coordinator_->Next<protocol::RankExited>().exit.signal, SIGTERM);
}

TEST_F(WorkerTest, RankOfAnEndedJob_HasItsOwnGrace) {
  StartWorker();
  coordinator_->Welcome();
  protocol::StartRank start = Script("trap \"\" TERM; echo deaf; while :; do sleep 1; done");
  start.spec_yaml += "  grace: 1s\n";
  coordinator_->Send(start);
  WaitUntilStarted();
  while (ReadLog(1).data != "deaf\n") usleep(1000);
  coordinator_->Send(protocol::StopRank{start.key, base::seconds(3600), "its job has ended", true});
  EXPECT_EQ(coordinator_->Next<protocol::RankExited>().exit.signal, SIGKILL);
}

TEST_F(WorkerTest, WorkerKilledThenRankKilled_ExitIsRightAfterItsReturn) {
  StartWorker();
  coordinator_->Welcome();
  coordinator_->Send(Script("echo last words >&2; sleep 60"));
  int64_t pid = WaitUntilStarted();
  while (ReadText(data_ / "jobs/j1/a1/r0/stderr.0").empty()) usleep(1000);
  KillWorker();
  kill(static_cast<pid_t>(pid), SIGKILL);
  StartWorker();
  auto hello = coordinator_->Welcome();
  ASSERT_EQ(hello.ranks.size(), 1u);
  protocol::ExitRecord exit;
  if (hello.ranks[0].exit) {
    exit = *hello.ranks[0].exit;
  } else {  // the shim was still writing its record
    exit = coordinator_->Next<protocol::RankExited>().exit;
  }
  EXPECT_EQ(exit.signal, SIGKILL);
  EXPECT_FALSE(exit.stopped_by_us);
  EXPECT_EQ(exit.last_log, "last words\n");
  coordinator_->Send(protocol::AcknowledgeExit{hello.ranks[0].key, hello.ranks[0].incarnation});
  while (!fs::exists(data_ / "jobs/j1/a1/r0/acknowledged")) usleep(1000);
  KillWorker();
  StartWorker();
  EXPECT_TRUE(coordinator_->Welcome().ranks.empty());
}

TEST_F(WorkerTest, ShimAndWorkerKilled_ExitRecordIsLost) {
  StartWorker();
  coordinator_->Welcome();
  coordinator_->Send(Script("echo $PPID > shim; sleep 60"));
  int64_t pid = WaitUntilStarted();
  while (ReadText(data_ / "jobs/j1/a1/r0/shim").empty()) usleep(1000);
  KillWorker();
  kill(std::stoi(ReadText(data_ / "jobs/j1/a1/r0/shim")), SIGKILL);
  StartWorker();
  auto hello = coordinator_->Welcome();
  ASSERT_EQ(hello.ranks.size(), 1u);
  protocol::ExitRecord exit;
  if (hello.ranks[0].exit) {
    exit = *hello.ranks[0].exit;
  } else {
    exit = coordinator_->Next<protocol::RankExited>().exit;
  }
  EXPECT_EQ(exit.note, "exit record lost: shim killed");
  EXPECT_EQ(exit.signal, SIGKILL);
  for (int i = 0; i < 2000 && Alive(pid); ++i) usleep(1000);
  EXPECT_FALSE(Alive(pid));
}

TEST_F(WorkerTest, MetricsHaveNoHole_WorkerAndCoordinatorKilled) {
  StartWorker();
  coordinator_->Welcome();
  auto start = Start("A: b");
  coordinator_->Send(start);
  WaitUntilStarted();
  std::set<int64_t> steps;
  uint64_t last = 0;
  auto take = [&](int batches) {
    for (int i = 0; i < batches; ++i) {
      auto batch = coordinator_->Next<protocol::MetricBatch>();
      for (const auto& point : batch.points) steps.insert(point.step);
      EXPECT_EQ(batch.dropped, 0u);
      last = batch.batch;
    }
  };
  take(10);
  coordinator_->Send(protocol::AcknowledgeMetrics{start.key.job, last});
  take(5);  // these are not acknowledged and come again
  uint64_t unacknowledged = last;
  KillWorker();
  StartWorker();
  auto hello = coordinator_->Welcome();
  ASSERT_EQ(hello.ranks.size(), 1u);
  auto again = coordinator_->Next<protocol::MetricBatch>();
  EXPECT_LE(again.batch, unacknowledged);
  take(20);
  int port = coordinator_->port();
  coordinator_ = nullptr;  // the coordinator dies
  usleep(50'000);
  coordinator_ = std::make_unique<FakeCoordinator>(kToken, port);
  coordinator_->Welcome(base::Term(2));
  coordinator_->Send(protocol::ToTrainer{start.key, start.incarnation, protocol::StopTraining{}},
                     base::Term(2));
  fs::path log = data_ / "jobs/j1/a1/r0/stdout.0";
  while (!ReadText(log).ends_with("\n")) usleep(1000);
  int64_t last_step = atoll(ReadText(log).c_str() + strlen("last step "));
  while (!steps.contains(last_step)) {
    take(1);
    coordinator_->Send(protocol::AcknowledgeMetrics{start.key.job, last}, base::Term(2));
  }
  EXPECT_GT(last_step, 30);
  EXPECT_EQ(static_cast<int64_t>(steps.size()), last_step);
  EXPECT_EQ(*steps.begin(), 1);
  EXPECT_EQ(*steps.rbegin(), last_step);
}

TEST_F(WorkerTest, LogIsFollowedToTheEnd) {
  StartWorker();
  coordinator_->Welcome();
  coordinator_->Send(Script("echo one; while [ ! -e go ]; do sleep 0.01; done; echo two"));
  WaitUntilStarted();
  protocol::ReadLog order;
  order.request = 5;
  order.key = {base::JobId(1), base::Attempt(1), 0};
  order.follow = true;
  coordinator_->Send(order);
  EXPECT_EQ(coordinator_->Next<protocol::LogData>().data, "one\n");
  std::ofstream(data_ / "jobs/j1/a1/r0/go");
  auto next = coordinator_->Next<protocol::LogData>();
  EXPECT_EQ(next.data, "two\n");
  EXPECT_EQ(next.offset, 4u);
  EXPECT_TRUE(coordinator_->Next<protocol::LogData>().end);
  EXPECT_EQ(ReadLog(6, 0, 1).data, "two\n");
  EXPECT_EQ(ReadLog(7, 2).data, "e\ntwo\n");
}

TEST_F(WorkerTest, TasksRun) {
  StartWorker();
  coordinator_->Welcome();
  protocol::StartTask task;
  task.kind = protocol::TaskKind::kVerify;
  task.spec_yaml = SpecWith("");
  for (uint64_t i = 1; i <= 3; ++i) {
    task.task = base::TaskId(i);
    task.argument = "{\"n\":" + std::to_string(i) + "}";
    coordinator_->Send(task);
  }
  std::set<std::string> results;
  for (int i = 0; i < 3; ++i) {
    auto ended = coordinator_->Next<protocol::TaskEnded>();
    EXPECT_TRUE(ended.ok) << ended.error;
    results.insert(ended.result);
  }
  EXPECT_EQ(results.size(), 3u);
}

TEST_F(WorkerTest, Sigterm_LeavesRanksRunning) {
  StartWorker();
  coordinator_->Welcome();
  coordinator_->Send(Script("sleep 60"));
  int64_t pid = WaitUntilStarted();
  kill(pid_, SIGTERM);
  coordinator_->Next<protocol::Leaving>();
  EXPECT_EQ(ExitCode(), 0);
  EXPECT_TRUE(Alive(pid));
}

TEST_F(WorkerTest, LifelineCloses_RanksAndWorkerEnd) {
  int pipe[2];
  ASSERT_EQ(pipe2(pipe, O_CLOEXEC), 0);
  lifeline_ = pipe[0];
  StartWorker({"--lifeline-fd", "9"});
  coordinator_->Welcome();
  coordinator_->Send(Script("sleep 60"));
  int64_t pid = WaitUntilStarted();
  close(pipe[0]);
  close(pipe[1]);
  EXPECT_EQ(ExitCode(), 0);
  EXPECT_FALSE(Alive(pid));
}

TEST_F(WorkerTest, LifelineClosesWhileTheWorkerIsDead_RanksEnd) {
  int pipe[2];
  ASSERT_EQ(pipe2(pipe, O_CLOEXEC), 0);
  lifeline_ = pipe[0];
  StartWorker({"--lifeline-fd", "9"});
  coordinator_->Welcome();
  coordinator_->Send(Script("sleep 60"));
  int64_t pid = WaitUntilStarted();
  KillWorker();
  close(pipe[0]);
  close(pipe[1]);
  for (int i = 0; i < 10'000 && Alive(pid); ++i) usleep(1000);
  EXPECT_FALSE(Alive(pid));
}

TEST_F(WorkerTest, ProgramMissing_ExitSaysSo) {
  fs::remove(root_ / "bin/cox-trainer");
  StartWorker();
  coordinator_->Welcome();
  coordinator_->Send(Script("true"));
  auto exit = coordinator_->Next<protocol::RankExited>().exit;
  EXPECT_EQ(exit.code, 127);
  EXPECT_EQ(exit.note.rfind("the program could not be started: ", 0), 0u) << exit.note;
}

TEST_F(WorkerTest, StartLatencyIsPrinted) {
  StartWorker();
  coordinator_->Welcome();
  coordinator_->Send(Script("true"));
  coordinator_->Next<protocol::RankExited>();
  base::Time before = base::MonotonicNow();
  auto start = Script("true");
  start.key.attempt = base::Attempt(2);
  coordinator_->Send(start);
  coordinator_->Next<protocol::RankStarted>();
  RecordProperty("start_us", static_cast<int>((base::MonotonicNow() - before).count()));
  printf("order to RankStarted: %ld us\n",
         static_cast<long>((base::MonotonicNow() - before).count()));
  coordinator_->Next<protocol::RankExited>();
}

}  // namespace
}  // namespace coxswain::worker
