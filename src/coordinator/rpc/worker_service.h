// The workers' streams (coxswain.internal.v1.WorkerGateway) on top of runtime::WorkerGateway.
#pragma once

#include <memory>
#include <string>

#include "coordinator/rpc/work_loop.h"
#include "coordinator/runtime/api.h"

namespace grpc {
class Service;
}

namespace coxswain::coordinator::rpc {

// `gateway` and `loop` must outlive the service. A stream that will not read while 64 MiB wait is
// ended.
std::unique_ptr<grpc::Service> MakeWorkerService(runtime::WorkerGateway* gateway, WorkLoop* loop,
                                                 std::string token);

}  // namespace coxswain::coordinator::rpc
