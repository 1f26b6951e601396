// Messages of coxswain.v1 as plain values and as JSON. Inside cli/rpc only.
#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "cli/rpc/api.h"
#include "coxswain/v1/coxswain.pb.h"

namespace coxswain::cli::rpc {

namespace wire = ::coxswain::v1;

// Compact; every field is there, also empty ones, so that scripts need not guess.
std::string ToJson(const google::protobuf::Message& message);

// All of these without `json`: see Client::Wire::Value.
Job FromWire(const wire::Job& in);
Checkpoint FromWire(const wire::Checkpoint& in);
Node FromWire(const wire::Node& in);
Queue FromWire(const wire::Queue& in);
Explanation FromWire(const wire::ExplainJobResponse& in);
Event FromWire(const wire::Event& in);
MetricPoint FromWire(const wire::MetricPoint& in);
LogChunk FromWire(const wire::LogChunk& in);
ServerInfo FromWire(const wire::ServerInfo& in);

}  // namespace coxswain::cli::rpc
