// Both servers over loopback, on fakes of the runtime.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include "common/rpc/channel.h"
#include "common/rpc/token.h"
#include "coordinator/rpc/servers.h"
#include "coxswain/internal/v1/internal.grpc.pb.h"
#include "coxswain/v1/coxswain.grpc.pb.h"
#include "tests/unit/common/rpc/arrivals.h"
#include "tests/unit/coordinator/rpc/fake_api.h"

namespace coxswain::coordinator::rpc {

namespace wire = ::coxswain::internal::v1;
using coxswain::rpc::Authorize;
using test::Arrivals;

struct FakeGateway final : runtime::WorkerGateway {
  core::SessionId Connected(std::shared_ptr<runtime::WorkerSession> session,
                            protocol::WorkerHello hello) override {
    sessions.Add(session);
    hellos.Add(std::move(hello));
    return core::SessionId(1);
  }
  void Reported(core::SessionId, protocol::WorkerReport report) override {
    reports.Add(std::move(report));
  }
  void Disconnected(core::SessionId, std::string reason) override { gone.Add(reason); }
  absl::StatusOr<code::CodePart> ReadCode(const std::string&, uint64_t, size_t) override {
    return absl::NotFoundError("no code");
  }
  Arrivals<std::shared_ptr<runtime::WorkerSession>> sessions;
  Arrivals<protocol::WorkerHello> hellos;
  Arrivals<protocol::WorkerReport> reports;
  Arrivals<std::string> gone;
};

// A client's context, authorized and with a deadline that only a fault reaches.
struct Context : grpc::ClientContext {
  explicit Context(const std::string& token = "secret") {
    set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    Authorize(this, token);
  }
};

inline runtime::JobView Job(uint64_t id, core::JobState state) {
  runtime::JobView view;
  view.record.job.id = core::JobId(id);
  view.record.job.state = state;
  view.record.job.request.name = "job-" + std::to_string(id);
  view.record.job.request.workers = 2;
  view.record.job.attempt = core::Attempt(1);
  return view;
}

class ServersTest : public testing::Test {
 protected:
  ServersTest() {
    auto servers = StartServers({"127.0.0.1:0", "127.0.0.1:0", "secret"}, &api_, &gateway_);
    EXPECT_TRUE(servers.ok()) << servers.status();
    servers_ = *std::move(servers);
    stub_ = v1::Coxswain::NewStub(*coxswain::rpc::MakeChannel(servers_->api_address(), {}));
    workers_ =
        wire::WorkerGateway::NewStub(*coxswain::rpc::MakeChannel(servers_->worker_address(), {}));
  }
  FakeApi api_;
  FakeGateway gateway_;
  std::unique_ptr<Servers> servers_;
  std::unique_ptr<v1::Coxswain::Stub> stub_;
  std::unique_ptr<wire::WorkerGateway::Stub> workers_;
};

}  // namespace coxswain::coordinator::rpc
