// What the runtime shows, as messages of coxswain.v1. Pure.
#pragma once

#include "coordinator/runtime/api.h"
#include "coordinator/runtime/node_names.h"

namespace coxswain::v1 {
class Checkpoint;
class Event;
class Job;
class MetricPoint;
class Node;
class ServerInfo;
class ListQueuesResponse;
class DrainNodeResponse;
class ExplainJobResponse;
}  // namespace coxswain::v1

namespace coxswain::coordinator::rpc {

// How much of a job: kList leaves out spec_yaml, ranks and attempts; kWatch spec_yaml.
enum class JobParts { kList, kWatch, kAll };

using runtime::NamesFrom;
using runtime::NodeNames;

void Fill(const runtime::JobView& in, JobParts parts, const NodeNames& names, v1::Job* out);
void Fill(const runtime::NodeView& in, v1::Node* out);
void Fill(const runtime::DrainResult& in, v1::DrainNodeResponse* out);
void Fill(const core::CheckpointRow& in, v1::Checkpoint* out);
void Fill(const core::EventRow& in, const NodeNames& names, v1::Event* out);
void Fill(const store::StoredPoint& in, v1::MetricPoint* out);
void Fill(const runtime::ServerStatus& in, v1::ServerInfo* out);
void Fill(const runtime::QueuesView& in, v1::ListQueuesResponse* out);
void Fill(const runtime::Explanation& in, size_t most_nodes, const NodeNames& names,
          v1::ExplainJobResponse* out);

}  // namespace coxswain::coordinator::rpc
