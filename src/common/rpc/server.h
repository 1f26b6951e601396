// How a daemon listens for gRPC: plaintext (TLS comes later), health for everyone, reflection
// behind the token, one clear line when it cannot listen.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/deadlines.h"

namespace grpc {
class Server;
class Service;
}  // namespace grpc

namespace coxswain::rpc {

// A service and the name it is listed by in reflection ("coxswain.v1.Coxswain").
struct NamedService {
  std::string name;
  grpc::Service* service = nullptr;  // must outlive the server
};

struct ServerOptions {
  // "127.0.0.1:7070", "[::1]:0", "host:port" or "unix:/path/of/any/length". Port 0: one is chosen.
  std::string address;
  std::vector<NamedService> services;
  std::string token;       // for reflection; services check theirs themselves
  bool reflection = true;  // also health; off for private sockets
  base::Deadlines deadlines{};
};

// Thread-safe once started.
class Server {
 public:
  // AlreadyExists: "127.0.0.1:7070 is in use by another process: ..."; InvalidArgument: not an
  // address of this machine, or not one at all; PermissionDenied. A Unix socket that nobody listens
  // on is replaced; its mode is 0600 afterwards, so its folder must be closed to others (0700)
  // already.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options);
  ~Server();  // Shutdown with no grace

  // Where it listens, with the chosen port.
  const std::string& address() const { return address_; }

  // What the health service says. True after Start.
  void SetServing(bool serving);

  // Takes no more calls, waits `grace` for those there are, cancels the rest, and returns when
  // their last reaction has run. Repeating it is harmless.
  void Shutdown(base::Duration grace);

 private:
  Server();

  std::string address_;
  std::unique_ptr<grpc::Service> reflection_;
  std::unique_ptr<grpc::Server> server_;
};

// OK if this process could listen on the address now. Start calls it; daemons may, to fail early.
absl::Status CanListen(const std::string& address);

}  // namespace coxswain::rpc
