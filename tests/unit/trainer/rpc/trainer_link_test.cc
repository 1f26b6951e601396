// The trainer's end and the worker's end of a trainer's stream, over a real Unix socket.
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "tests/unit/common/rpc/arrivals.h"
#include "trainer/runtime/task_link.h"
#include "trainer/runtime/trainer_link.h"
#include "worker/runtime/trainer_gateway.h"

namespace coxswain {
namespace {

using test::Arrivals;
using worker::ConnectionId;

const protocol::RankKey kKey{base::JobId(12), base::Attempt(2), 1};

// A worker's gateway that records what comes.
struct Gateway {
  explicit Gateway(const std::string& path) : gateway(worker::MakeTrainerGateway()) {
    absl::Status status =
        gateway->Start(path, {[this](ConnectionId id, const worker::TrainerIdentity& who) {
                                identities.Add(who);
                                connections.Add(id);
                              },
                              [this](ConnectionId, protocol::TrainerReport report) {
                                if (std::holds_alternative<protocol::ManifestWritten>(report))
                                  order.Add("manifest");
                                reports.Add(std::move(report));
                              },
                              [this](ConnectionId id, uint64_t sequence,
                                     std::vector<protocol::MetricPoint> points, uint64_t) {
                                if (answer_metrics) gateway->AcknowledgeMetrics(id, sequence);
                                order.Add("points");
                                metrics.Add(std::move(points));
                              },
                              [this](ConnectionId id, protocol::TaskEnded ended) {
                                if (answer_tasks) gateway->AcknowledgeTaskEnded(id);
                                tasks.Add(std::move(ended));
                              },
                              [](const std::string& code) -> absl::StatusOr<std::string> {
                                if (code == "sha256:1") return "/data/code/1.tar.zst";
                                return absl::UnavailableError("fetching code " + code);
                              },
                              [this](ConnectionId id) { gone.Add(id); }});
    EXPECT_TRUE(status.ok()) << status;
  }
  std::atomic<bool> answer_metrics = true, answer_tasks = true;
  Arrivals<ConnectionId> connections, gone;
  Arrivals<worker::TrainerIdentity> identities;
  Arrivals<std::string> order;  // of points and manifests
  Arrivals<protocol::TrainerReport> reports;
  Arrivals<std::vector<protocol::MetricPoint>> metrics;
  Arrivals<protocol::TaskEnded> tasks;
  std::unique_ptr<worker::TrainerGateway> gateway;
};

class TrainerLink : public testing::Test {
 protected:
  TrainerLink() {
    std::string name = (std::filesystem::temp_directory_path() / "cox-link-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    socket_ = folder_ / "trainers.sock";
  }
  ~TrainerLink() override {
    link_.reset();
    std::filesystem::remove_all(folder_);
  }
  void Begin() {
    link_ = trainer::MakeWorkerLink({socket_, kKey, base::Incarnation(77)});
    link_->Start({[this](const protocol::TrainerOrder& order) { orders_.Add(order); },
                  [this] { connected_.Add(1); },
                  [this](const std::string& reason) { refused_.Add(reason); }});
  }
  std::filesystem::path folder_;
  std::string socket_;
  std::unique_ptr<trainer::TrainerLink> link_;
  Arrivals<protocol::TrainerOrder> orders_;
  Arrivals<int> connected_;
  Arrivals<std::string> refused_;
};

protocol::MetricPoint Point(int64_t step) {
  protocol::MetricPoint point;
  point.name = "loss";
  point.step = step;
  return point;
}

protocol::ManifestWritten Manifest() {
  protocol::ManifestWritten manifest;
  manifest.id = base::CheckpointId(7);
  return manifest;
}

TEST_F(TrainerLink, ReportsAndOrders_GoBothWays) {
  Gateway worker(socket_);
  Begin();
  connected_.Take();
  worker::TrainerIdentity who = worker.identities.Take();
  EXPECT_EQ(who.key, kKey);
  EXPECT_EQ(who.incarnation, base::Incarnation(77));
  EXPECT_FALSE(who.task);
  link_->SendReport(protocol::TrainerReady{"127.0.0.1:4000", {}});
  EXPECT_EQ(std::get<protocol::TrainerReady>(worker.reports.Take()).address, "127.0.0.1:4000");
  worker.gateway->Send(worker.connections.Take(), protocol::SaveNow{"preempted"});
  EXPECT_EQ(std::get<protocol::SaveNow>(orders_.Take()).reason, "preempted");
  EXPECT_TRUE(link_->Flush(base::seconds(10)));
}

TEST_F(TrainerLink, CodeIsWhereTheWorkerSays) {
  trainer::LinkSettings settings;
  settings.socket = socket_;
  trainer::FindCode find = trainer::MakeFindCode(settings);
  EXPECT_TRUE(absl::IsUnavailable(find("sha256:1").status())) << "nobody is there yet";
  Gateway worker(socket_);
  EXPECT_EQ(*find("sha256:1"), "/data/code/1.tar.zst");
  EXPECT_EQ(find("sha256:2").status(), absl::UnavailableError("fetching code sha256:2"));
}

TEST_F(TrainerLink, WorkerReplacedByAnother_ComesBackAndRepeatsPointsWithoutAnswer) {
  auto first = std::make_unique<Gateway>(socket_);
  first->answer_metrics = false;
  Begin();
  connected_.Take();
  link_->SendMetrics({Point(1), Point(2)});
  EXPECT_EQ(first->metrics.Take().size(), 2u);
  EXPECT_FALSE(link_->Flush(base::milliseconds(5)));
  first.reset();
  Gateway second(socket_);
  connected_.Take();
  EXPECT_EQ(second.metrics.Take().at(1), Point(2));
  EXPECT_TRUE(link_->Flush(base::seconds(10)));
}

TEST_F(TrainerLink, PointsOfTheStepsBefore_ArriveAheadOfAManifest) {
  Gateway worker(socket_);
  Begin();
  connected_.Take();
  // So many that they wait: reports go before points, but for this one.
  for (int i = 0; i < 500; ++i) link_->SendReport(protocol::TrainerReady{"a", {}});
  link_->SendMetrics({Point(1)});
  link_->SendReport(Manifest());
  EXPECT_EQ(worker.order.Take(), "points");
  EXPECT_EQ(worker.order.Take(), "manifest");
}

TEST_F(TrainerLink, AFullWindowOfPoints_HoldsTheManifestBack) {
  Gateway worker(socket_);
  worker.answer_metrics = false;
  Begin();
  connected_.Take();
  for (int64_t step = 1; step <= 4; ++step) {
    link_->SendMetrics({Point(step)});
    worker.metrics.Take();
  }
  link_->SendMetrics({Point(5)});
  link_->SendReport(Manifest());
  EXPECT_FALSE(link_->Flush(base::milliseconds(5)));
  EXPECT_EQ(worker.reports.size(), 0u);
  worker.gateway->AcknowledgeMetrics(worker.connections.Take(), 1);
  worker.reports.Take();
  EXPECT_EQ(worker.metrics.size(), 1u) << "its points came first";
}

TEST_F(TrainerLink, NoWorkerYet_KeepsPointsAndTheNewestProgress) {
  Begin();
  link_->SendReport(protocol::TrainerReady{"dropped", {}});
  protocol::TrainerProgress progress;
  for (int64_t step = 0; step < 1000; ++step) {
    progress.step = step;
    link_->SendReport(progress);
    link_->SendMetrics({Point(step)});
  }
  EXPECT_FALSE(link_->Flush(base::milliseconds(5)));
  Gateway worker(socket_);
  connected_.Take();
  EXPECT_EQ(std::get<protocol::TrainerProgress>(worker.reports.Take()).step, 999);
  EXPECT_TRUE(link_->Flush(base::seconds(10)));
  EXPECT_EQ(worker.reports.size(), 0u);
  size_t points = 0;
  while (points < 1000) points += worker.metrics.Take().size();
  EXPECT_EQ(points, 1000u);
}

TEST_F(TrainerLink, Replaced_IsToldOnceAndStaysAway) {
  Gateway worker(socket_);
  Begin();
  worker.gateway->Refuse(worker.connections.Take(), "replaced by incarnation 78");
  EXPECT_EQ(refused_.Take(), "replaced by incarnation 78");
  worker.gone.Take();
  EXPECT_FALSE(link_->Flush(base::milliseconds(5)));
  EXPECT_EQ(worker.connections.size(), 0u);
}

TEST_F(TrainerLink, Stop_LetsTheLastReportArrive) {
  Gateway worker(socket_);
  Begin();
  connected_.Take();
  for (int i = 0; i < 200; ++i) link_->SendReport(protocol::TrainingFailed{"bad data", true});
  link_->Stop();
  for (int i = 0; i < 200; ++i) worker.reports.Take();
  worker.gone.Take();
}

TEST_F(TrainerLink, StoppedWithoutAnyWorker_ReturnsAtOnce) {
  Begin();
  link_->Stop();
  link_->SendReport(protocol::TrainerReady{"nobody hears it", {}});
  EXPECT_FALSE(link_->Flush(base::milliseconds(1)));
}

TEST_F(TrainerLink, ManyAtOnce_AllComeThrough) {
  Gateway worker(socket_);
  std::vector<std::unique_ptr<trainer::TrainerLink>> links;
  for (uint32_t rank = 0; rank < 32; ++rank) {
    protocol::RankKey key = kKey;
    key.rank = rank;
    auto& link =
        links.emplace_back(trainer::MakeWorkerLink({socket_, key, base::Incarnation(1 + rank)}));
    link->Start({[](const protocol::TrainerOrder&) {}, [this] { connected_.Add(1); },
                 [](const std::string&) {}});
  }
  for (size_t i = 0; i < links.size(); ++i) connected_.Take();
  for (auto& link : links) link->SendReport(protocol::TrainerReady{"a", {}});
  for (size_t i = 0; i < links.size(); ++i) worker.reports.Take();
}

TEST_F(TrainerLink, Task_IsTakenAndItsEndConfirmedAcrossARestart) {
  auto first = std::make_unique<Gateway>(socket_);
  first->answer_tasks = false;
  auto link = trainer::MakeTaskLink({socket_, base::TaskId(5)});
  EXPECT_EQ(first->identities.Take().task, base::TaskId(5));
  first->gateway->SendTask(first->connections.Take(), {base::TaskId(5), protocol::TaskKind::kVerify,
                                                       "{\"uri\":\"file:///c\"}", "spec"});
  auto task = link->Receive(base::seconds(10));
  ASSERT_TRUE(task.ok()) << task.status();
  EXPECT_EQ(task->argument, "{\"uri\":\"file:///c\"}");

  protocol::TaskEnded ended{base::TaskId(5), true, "", false, "{}"};
  EXPECT_TRUE(absl::IsDeadlineExceeded(link->Report(ended, base::milliseconds(5))));
  std::unique_ptr<Gateway> second;
  std::thread restart([&] {
    first.reset();
    second = std::make_unique<Gateway>(socket_);
  });
  restart.join();
  EXPECT_TRUE(link->Report(ended, base::seconds(10)).ok());
  EXPECT_TRUE(second->tasks.Take().ok);
}

TEST_F(TrainerLink, TaskThatIsNotWanted_IsTold) {
  Gateway worker(socket_);
  auto link = trainer::MakeTaskLink({socket_, base::TaskId(5)});
  worker.gateway->Refuse(worker.connections.Take(), "no such task");
  auto task = link->Receive(base::seconds(10));
  EXPECT_TRUE(absl::IsPermissionDenied(task.status())) << task.status();
  EXPECT_EQ(task.status().message(), "no such task");
}

}  // namespace
}  // namespace coxswain
