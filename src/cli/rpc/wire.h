// How a Client's calls are made. Inside cli/rpc only.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>

#include "cli/rpc/client.h"
#include "cli/rpc/convert.h"
#include "common/base/clock.h"
#include "common/rpc/token.h"
#include "coxswain/v1/coxswain.grpc.pb.h"

namespace coxswain::cli::rpc {

struct Client::Wire {
  explicit Wire(ClientOptions o);

  // Token, and a deadline `limit` from now (zero: none) but never after options.until.
  void Prepare(grpc::ClientContext* call, std::chrono::milliseconds limit) const;
  // In words, with the codes that client.h promises.
  absl::Status Why(const grpc::Status& status) const;
  bool TimeIsUp() const;
  // The coordinator's clock, of a call that was made then and has been answered.
  static void HearClockOf(const grpc::ClientContext& call, base::WallTime sent);
  // When to give up on a coordinator that has never answered.
  std::optional<SteadyTime> PatienceEnds(SteadyTime start) const;

  // Makes calls until one gives something else than UNAVAILABLE, pausing in between. `call` sets
  // *heard when the coordinator has answered anything. Gives up after options.patience if it never
  // has.
  absl::Status Repeat(const std::function<grpc::Status(bool* heard)>& call) const;

  template <class Request, class Response>
  absl::Status Call(grpc::Status (coxswain::v1::Coxswain::Stub::*method)(grpc::ClientContext*,
                                                                         const Request&, Response*),
                    const Request& request, Response* response) const {
    grpc::ClientContext call;
    Prepare(&call, std::chrono::seconds(15));
    const base::WallTime sent = base::WallNow();
    const grpc::Status status = (stub.get()->*method)(&call, request, response);
    HearClockOf(call, sent);
    return Why(status);
  }

  // The message as a value, with `json` where it is wanted.
  template <class Message>
  auto Value(const Message& message) const {
    auto value = FromWire(message);
    if (options.json) value.json = ToJson(message);
    return value;
  }
  std::string Json(const google::protobuf::Message& message) const {
    return options.json ? ToJson(message) : "";
  }

  const ClientOptions options;
  const std::string person;  // user@machine, for `submitted_by`
  std::unique_ptr<coxswain::v1::Coxswain::Stub> stub;
};

}  // namespace coxswain::cli::rpc
