// One pretend worker's stream to the coordinator: one life of it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "common/protocol/worker_messages.h"

namespace grpc {
class Channel;
}

namespace coxswain::sim::rpc {

class WorkerStream {
 public:
  // Called on gRPC's threads; none of them may call back or block.
  struct Events {
    std::function<void()> opened;
    std::function<void(base::Term, protocol::WorkerOrder)> order;
    std::function<void(const absl::Status&)> ended;  // always, last
  };
  virtual ~WorkerStream() = default;
  // Once opened. What is sent after the end is lost.
  virtual void Send(const protocol::WorkerReport& report) = 0;
  virtual void Cancel() = 0;
};

// Begins at once. To be kept until `ended` has been called, and let go of outside of it.
std::shared_ptr<WorkerStream> OpenWorkerStream(const std::shared_ptr<grpc::Channel>& channel,
                                               const std::string& token,
                                               WorkerStream::Events events);

}  // namespace coxswain::sim::rpc
