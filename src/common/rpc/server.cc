#include "common/rpc/server.h"

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "common/rpc/channel.h"
#include "common/rpc/reflection.h"

namespace coxswain::rpc {
namespace {

constexpr std::string_view kUnix = "unix:";

bool IsUnix(const std::string& address) { return address.compare(0, kUnix.size(), kUnix) == 0; }

// What gRPC is asked to listen on.
absl::StatusOr<std::string> ListenName(const std::string& address) {
  if (IsUnix(address)) return TargetOf(address);
  return address;
}

void SetArguments(const base::Deadlines& deadlines, grpc::ServerBuilder* builder) {
  auto ms = [](base::Duration d) {
    return static_cast<int>(std::chrono::ceil<base::milliseconds>(d).count());
  };
  builder->SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder->SetMaxSendMessageSize(kMaxMessageBytes);
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kWindowBytes);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, ms(deadlines.KeepAlive()));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, ms(deadlines.KeepAlive()));
  // Clients of any lease may ping as often as they like: pings cost less than broken streams.
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
}

}  // namespace

Server::Server() = default;

Server::~Server() { Shutdown(base::Duration(0)); }

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options) {
  QuietLibraries();
  if (absl::Status status = CanListen(options.address); !status.ok()) return status;
  absl::StatusOr<std::string> name = ListenName(options.address);
  if (!name.ok()) return name.status();
  grpc::EnableDefaultHealthCheckService(options.reflection);
  std::unique_ptr<Server> server(new Server());
  grpc::ServerBuilder builder;
  SetArguments(options.deadlines, &builder);
  int port = 0;
  builder.AddListeningPort(*name, grpc::InsecureServerCredentials(), &port);
  std::vector<std::string> names;
  for (const NamedService& named : options.services) {
    builder.RegisterService(named.service);
    names.push_back(named.name);
  }
  if (options.reflection) {
    server->reflection_ = MakeReflectionService(options.token, std::move(names));
    builder.RegisterService(server->reflection_.get());
  }
  server->server_ = builder.BuildAndStart();
  if (server->server_ == nullptr) {
    absl::Status now = CanListen(options.address);
    return now.ok() ? absl::UnavailableError("cannot listen on " + options.address) : now;
  }
  server->address_ = options.address;
  if (IsUnix(options.address)) {
    std::string path = options.address.substr(kUnix.size());
    if (chmod(path.c_str(), 0600) != 0) {
      return absl::UnavailableError("cannot close socket " + path +
                                    " to others: " + std::strerror(errno));
    }
  } else {
    size_t colon = options.address.rfind(':');
    server->address_ = options.address.substr(0, colon + 1) + std::to_string(port);
  }
  return server;
}

void Server::SetServing(bool serving) {
  if (auto* health = server_->GetHealthCheckService()) health->SetServingStatus(serving);
}

void Server::Shutdown(base::Duration grace) {
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now() + grace);
  server_->Wait();
}

}  // namespace coxswain::rpc
