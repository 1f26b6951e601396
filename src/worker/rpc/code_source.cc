// CodeSource over gRPC.
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include "common/rpc/channel.h"
#include "common/rpc/token.h"
#include "coxswain/internal/v1/internal.grpc.pb.h"
#include "worker/runtime/code_cache.h"

namespace coxswain::worker {
namespace {

namespace wire = ::coxswain::internal::v1;

constexpr std::chrono::seconds kLimit(10);  // of one part

class CoordinatorCode final : public CodeSource {
 public:
  explicit CoordinatorCode(CoordinatorSettings settings) : settings_(std::move(settings)) {}

  absl::StatusOr<code::CodePart> Read(const std::string& id, uint64_t offset) override {
    if (stub_ == nullptr) {
      auto channel = rpc::MakeChannel(settings_.address, settings_.deadlines);
      if (!channel.ok()) return absl::UnavailableError(channel.status().message());
      stub_ = wire::WorkerGateway::NewStub(*channel);
    }
    grpc::ClientContext call;
    rpc::Authorize(&call, settings_.token);
    call.set_deadline(std::chrono::system_clock::now() + kLimit);
    wire::GetCodeRequest request;
    request.set_code(id);
    request.set_offset(offset);
    wire::GetCodeResponse response;
    const grpc::Status status = stub_->GetCode(&call, request, &response);
    if (status.error_code() == grpc::StatusCode::NOT_FOUND) {
      return absl::NotFoundError(status.error_message());
    }
    if (!status.ok()) {
      stub_.reset();  // the next try is to connect at once
      return absl::UnavailableError(rpc::WhyFailed(settings_.address, status));
    }
    return code::CodePart{std::move(*response.mutable_data()), response.total_bytes()};
  }

 private:
  const CoordinatorSettings settings_;
  std::unique_ptr<wire::WorkerGateway::Stub> stub_;
};

}  // namespace

std::unique_ptr<CodeSource> MakeCodeSource(const CoordinatorSettings& settings) {
  return std::make_unique<CoordinatorCode>(settings);
}

}  // namespace coxswain::worker
