// gRPC server reflection (grpc.reflection.v1alpha) behind the token: the library's own service lets
// everyone in, and needs threads of its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace grpc {
class Service;
}

namespace coxswain::rpc {

// Lists `services` ("coxswain.v1.Coxswain") and tells of every proto linked into the program.
// UNAUTHENTICATED without the token.
std::unique_ptr<grpc::Service> MakeReflectionService(std::string token,
                                                     std::vector<std::string> services);

}  // namespace coxswain::rpc
