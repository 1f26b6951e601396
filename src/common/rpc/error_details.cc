#include "common/rpc/error_details.h"

#include "common/rpc/convert.h"
#include "coxswain/internal/v1/rpc_status.pb.h"

namespace coxswain::rpc {

grpc::Status WithDetail(grpc::StatusCode code, const std::string& text,
                        const google::protobuf::Message& detail) {
  std::string clean = Utf8(text);
  wire::RpcStatus packed;
  packed.set_code(code);
  packed.set_message(clean);
  packed.add_details()->PackFrom(detail);
  return grpc::Status(code, clean, packed.SerializeAsString());
}

bool FindDetail(const grpc::Status& status, google::protobuf::Message* detail) {
  wire::RpcStatus packed;
  if (status.error_details().empty() || !packed.ParseFromString(status.error_details())) {
    return false;
  }
  for (const google::protobuf::Any& any : packed.details()) {
    if (any.UnpackTo(detail)) return true;
  }
  return false;
}

}  // namespace coxswain::rpc
