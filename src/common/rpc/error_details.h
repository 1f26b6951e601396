// Structured details of a failed call: a google.rpc.Status in grpc::Status::error_details(), the
// way every gRPC library reads it.
#pragma once

#include <grpcpp/support/status.h>

#include <string>

namespace google::protobuf {
class Message;
}

namespace coxswain::rpc {

// `status` (not OK) with one detail message.
grpc::Status WithDetail(grpc::StatusCode code, const std::string& text,
                        const google::protobuf::Message& detail);

// Finds a detail of the type of `detail` and reads it. False: there is none, or it is malformed.
bool FindDetail(const grpc::Status& status, google::protobuf::Message* detail);

}  // namespace coxswain::rpc
