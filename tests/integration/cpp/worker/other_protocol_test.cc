// The real coordinator and the real worker, of versions that have no protocol in common: what
// passes between them is changed in one place, the range in the worker's hello.
#include <spawn.h>

#include <nlohmann/json.hpp>

#include "coxswain/v1/coxswain.grpc.pb.h"
#include "tests/integration/cpp/worker/worker_fixture.h"

namespace coxswain::worker {
namespace {

constexpr char kWhy[] =
    "speaks protocols 7 to 9, this coordinator (version 0.1.0) 1 to 1: install matching versions";

void Authorize(grpc::ClientContext* context, const std::string& header) {
  context->AddMetadata("authorization", header);
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
}

// Passes a worker's stream on to the coordinator, as a worker of another version.
class OtherVersion final : public wire::WorkerGateway::Service {
 public:
  explicit OtherVersion(const std::string& coordinator)
      : stub_(wire::WorkerGateway::NewStub(
            grpc::CreateChannel(coordinator, grpc::InsecureChannelCredentials()))) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~OtherVersion() override { server_->Shutdown(std::chrono::system_clock::now()); }
  int port() const { return port_; }

  grpc::Status Connect(grpc::ServerContext* context, FakeCoordinator::Stream* worker) override {
    grpc::ClientContext onward;
    auto header = context->client_metadata().find("authorization");
    if (header == context->client_metadata().end()) return {grpc::StatusCode::UNAUTHENTICATED, ""};
    Authorize(&onward, std::string(header->second.data(), header->second.size()));
    auto coordinator = stub_->Connect(&onward);
    worker->SendInitialMetadata();
    wire::WorkerReport hello;
    if (!worker->Read(&hello)) return grpc::Status::CANCELLED;
    hello.mutable_hello()->set_protocol_oldest(7);
    hello.mutable_hello()->set_protocol_newest(9);
    coordinator->Write(hello);
    wire::WorkerOrder order;
    while (coordinator->Read(&order)) worker->Write(order);
    coordinator->WritesDone();
    return coordinator->Finish();
  }

 private:
  std::unique_ptr<wire::WorkerGateway::Stub> stub_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

class OtherProtocolTest : public WorkerTest {
 protected:
  void SetUp() override {
    WorkerTest::SetUp();
    StartCoordinator();
    between_ = std::make_unique<OtherVersion>(endpoint_.at("worker"));
    std::ofstream(root_ / "token") << token_ << "\n";
  }
  void TearDown() override {
    between_.reset();
    if (coordinator_pid_ > 0) {
      kill(coordinator_pid_, SIGKILL);
      waitpid(coordinator_pid_, nullptr, 0);
    }
    WorkerTest::TearDown();
  }
  int Port() const override { return between_->port(); }

  void StartCoordinator() {
    std::string dir = (root_ / "coordinator").string(), none = "127.0.0.1:0";
    std::vector<std::string> words = {
        COX_COORDINATOR, "--data-dir", dir, "--listen", none, "--worker-listen", none,
        "--http-listen", none};
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 2, (root_ / "coordinator.log").c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ASSERT_EQ(posix_spawn(&coordinator_pid_, argv[0], &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    for (int i = 0; i < 1000 && endpoint_.is_null(); ++i) {
      endpoint_ = nlohmann::json::parse(ReadText(dir + "/endpoint"), nullptr, false);
      if (endpoint_.is_discarded()) endpoint_ = nullptr;
      usleep(10'000);
    }
    ASSERT_FALSE(endpoint_.is_null()) << ReadText(root_ / "coordinator.log");
    token_ = ReadText(endpoint_.at("token_file").get<std::string>());
    token_.erase(token_.find_last_not_of("\n") + 1);
  }
  // What `cox events` would show, one line each.
  std::vector<std::string> Events() {
    auto stub = v1::Coxswain::NewStub(grpc::CreateChannel(endpoint_.at("api").get<std::string>(),
                                                          grpc::InsecureChannelCredentials()));
    grpc::ClientContext context;
    Authorize(&context, "Bearer " + token_);
    auto stream = stub->ListEvents(&context, v1::ListEventsRequest());
    std::vector<std::string> lines;
    for (v1::Event event; stream->Read(&event);) {
      lines.push_back(event.severity() + " " + event.kind() + " " + event.text());
    }
    EXPECT_TRUE(stream->Finish().ok());
    return lines;
  }

  nlohmann::json endpoint_;
  std::string token_;
  pid_t coordinator_pid_ = -1;
  std::unique_ptr<OtherVersion> between_;
};

TEST_F(OtherProtocolTest, BothSidesSayInOneLineWhatToInstall) {
  StartWorker();
  EXPECT_EQ(ExitCode(), 78);
  EXPECT_NE(LastLine().find("does not take this worker: this worker (version 0.1.0) "),
            std::string::npos)
      << LastLine();
  EXPECT_NE(LastLine().find(kWhy), std::string::npos) << LastLine();
  std::vector<std::string> events = Events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].find("warning NodeRefused the worker node-a (127.0.0.1) was refused: "), 0u)
      << events[0];
  EXPECT_NE(events[0].find(kWhy), std::string::npos) << events[0];
  EXPECT_EQ(events[0].find('\n'), std::string::npos);
}

}  // namespace
}  // namespace coxswain::worker
