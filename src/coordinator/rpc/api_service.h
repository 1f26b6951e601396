// coxswain.v1.Coxswain: token and request checks here, everything else in runtime::Api.
#pragma once

#include <memory>
#include <string>

#include "coordinator/rpc/work_loop.h"
#include "coordinator/runtime/api.h"

namespace grpc {
class Service;
}

namespace coxswain::coordinator::rpc {

// `loop`: of reads; `files`: of what waits for large writes. All must outlive the service and its
// server.
std::unique_ptr<grpc::Service> MakeApiService(runtime::Api* api, WorkLoop* loop, WorkLoop* files,
                                              std::string token);

}  // namespace coxswain::coordinator::rpc
