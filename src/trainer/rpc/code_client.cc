// FindCode over gRPC on the worker's Unix socket.
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include "common/rpc/channel.h"
#include "coxswain/internal/v1/internal.grpc.pb.h"
#include "trainer/runtime/trainer_link.h"

namespace coxswain::trainer {
namespace {

namespace wire = ::coxswain::internal::v1;

constexpr std::chrono::seconds kLimit(2);  // of one call

}  // namespace

FindCode MakeFindCode(const LinkSettings& settings) {
  return [address =
              "unix:" + settings.socket](const std::string& code) -> absl::StatusOr<std::string> {
    auto channel = rpc::MakeChannel(address, {});
    if (!channel.ok()) return absl::UnavailableError(channel.status().message());
    grpc::ClientContext call;
    call.set_deadline(std::chrono::system_clock::now() + kLimit);
    wire::FindCodeRequest request;
    request.set_code(code);
    wire::FindCodeResponse response;
    const grpc::Status status =
        wire::TrainerGateway::NewStub(*channel)->FindCode(&call, request, &response);
    if (status.ok()) return response.path();
    // A worker that is away comes back.
    const bool away = status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
    if (away) return absl::UnavailableError("the worker does not answer");
    return rpc::FromGrpc(status);
  };
}

}  // namespace coxswain::trainer
