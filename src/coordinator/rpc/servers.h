// The coordinator's two gRPC servers: the API for people and pipelines, and the workers' port.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/deadlines.h"
#include "coordinator/runtime/api.h"

namespace coxswain::coordinator::rpc {

struct ServerSettings {
  std::string api_address;  // "127.0.0.1:7070"; port 0: one is chosen
  std::string worker_address;
  std::string token;  // of every call but health
  base::Deadlines deadlines{};
};

// Thread-safe once started.
class Servers {
 public:
  virtual ~Servers() = default;  // Stop with no grace

  virtual const std::string& api_address() const = 0;  // with the chosen port
  virtual const std::string& worker_address() const = 0;

  // What both health services say; true after Start.
  virtual void SetServing(bool serving) = 0;

  // Takes no more calls and workers, waits `grace` for the calls under way, cancels the rest and
  // returns when no thread is inside `api` or `gateway` any more. To be called before they stop.
  virtual void Stop(base::Duration grace) = 0;
};

// Errors in one line, as coxswain::rpc::Server::Start: "127.0.0.1:7070 is in use by another
// process: ...". `api` and `gateway` must outlive the result.
absl::StatusOr<std::unique_ptr<Servers>> StartServers(const ServerSettings& settings,
                                                      runtime::Api* api,
                                                      runtime::WorkerGateway* gateway);

}  // namespace coxswain::coordinator::rpc
