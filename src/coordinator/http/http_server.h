// The read-only HTTP side: status pages for people, JSON for scripts, /metrics for Prometheus.
// Everything it shows comes from runtime::Api, that is from committed state, and holds no secrets.
//
// Off loopback every path but /healthz and /readyz needs the token. A request with another method
// than GET or HEAD is 405, one with a foreign Host 421.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <vector>

#include "coordinator/runtime/api.h"

namespace coxswain::coordinator::http {

struct HttpSettings {
  std::string address;             // "127.0.0.1:7072", "[::1]:0"; port 0: one is chosen
  std::vector<std::string> hosts;  // accepted in Host besides the address itself
  std::string token;               // needed off loopback
};

class HttpServer {
 public:
  virtual ~HttpServer() = default;  // Stop
  // Where it listens, with the chosen port.
  virtual const std::string& address() const = 0;
  // Takes no more requests; returns when those under way are answered.
  virtual void Stop() = 0;
};

// `api` must outlive the result. AlreadyExists: "127.0.0.1:7072 is in use by another process: ...";
// InvalidArgument: not an address of this machine; PermissionDenied.
absl::StatusOr<std::unique_ptr<HttpServer>> StartHttpServer(const HttpSettings& settings,
                                                            runtime::Api* api);

}  // namespace coxswain::coordinator::http
