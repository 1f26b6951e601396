#include "coordinator/rpc/servers.h"

#include <grpcpp/impl/service_type.h>

#include "common/rpc/server.h"
#include "coordinator/rpc/api_service.h"
#include "coordinator/rpc/work_loop.h"
#include "coordinator/rpc/worker_service.h"

namespace coxswain::coordinator::rpc {
namespace {

// Reads are short; more threads than the store has readers would only wait.
constexpr int kWorkThreads = 4;

class BothServers final : public Servers {
 public:
  BothServers(const ServerSettings& settings, runtime::Api* api, runtime::WorkerGateway* gateway)
      : api_service_(MakeApiService(api, &loop_, &files_, settings.token)),
        worker_service_(MakeWorkerService(gateway, &files_, settings.token)) {}
  ~BothServers() override { BothServers::Stop(base::Duration(0)); }

  absl::Status Start(const ServerSettings& settings) {
    // Both addresses first: nobody connects to half a coordinator.
    for (const std::string& address : {settings.api_address, settings.worker_address}) {
      if (absl::Status s = coxswain::rpc::CanListen(address); !s.ok()) return s;
    }
    auto start = [&](const std::string& address, const char* name, grpc::Service* service,
                     std::unique_ptr<coxswain::rpc::Server>* out) {
      auto server = coxswain::rpc::Server::Start({.address = address,
                                                  .services = {{name, service}},
                                                  .token = settings.token,
                                                  .deadlines = settings.deadlines});
      if (!server.ok()) return server.status();
      *out = *std::move(server);
      return absl::OkStatus();
    };
    absl::Status status = start(settings.worker_address, "coxswain.internal.v1.WorkerGateway",
                                worker_service_.get(), &worker_server_);
    if (!status.ok()) return status;
    return start(settings.api_address, "coxswain.v1.Coxswain", api_service_.get(), &api_server_);
  }

  const std::string& api_address() const override { return api_server_->address(); }
  const std::string& worker_address() const override { return worker_server_->address(); }

  void SetServing(bool serving) override {
    api_server_->SetServing(serving);
    worker_server_->SetServing(serving);
  }
  void Stop(base::Duration grace) override {
    if (worker_server_ != nullptr) worker_server_->Shutdown(base::Duration(0));
    if (api_server_ != nullptr) api_server_->Shutdown(grace);
  }

 private:
  WorkLoop loop_{kWorkThreads};  // outlives every call
  WorkLoop files_{1};            // likewise; code that is taken and given out
  std::unique_ptr<grpc::Service> api_service_, worker_service_;
  std::unique_ptr<coxswain::rpc::Server> worker_server_, api_server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Servers>> StartServers(const ServerSettings& settings,
                                                      runtime::Api* api,
                                                      runtime::WorkerGateway* gateway) {
  auto servers = std::make_unique<BothServers>(settings, api, gateway);
  if (absl::Status status = servers->Start(settings); !status.ok()) return status;
  return servers;
}

}  // namespace coxswain::coordinator::rpc
