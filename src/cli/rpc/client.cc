#include "cli/rpc/client.h"

#include "cli/rpc/wire.h"
#include "common/rpc/channel.h"

namespace coxswain::cli::rpc {

using Stub = coxswain::v1::Coxswain::Stub;

constexpr size_t kUploadPart = 4u << 20;

Client::Client(std::unique_ptr<Wire> wire) : wire_(std::move(wire)) {}
Client::~Client() = default;

absl::StatusOr<std::unique_ptr<Client>> Client::Make(ClientOptions options) {
  const absl::Status token = coxswain::rpc::CheckTokenText(options.token, options.token_from);
  if (!token.ok()) return absl::FailedPreconditionError(token.message());
  auto channel = coxswain::rpc::MakeChannel(options.server, base::Deadlines{});
  if (!channel.ok()) return channel.status();
  auto wire = std::make_unique<Wire>(std::move(options));
  wire->stub = coxswain::v1::Coxswain::NewStub(*channel);
  return std::unique_ptr<Client>(new Client(std::move(wire)));
}

absl::Status Client::Upload(const Code& code) {
  uint64_t offset = 0;
  bool asked = false;  // before anything is sent: it may be there
  while (offset < code.archive.size()) {
    wire::UploadCodeRequest part;
    part.set_code(code.id);
    part.set_total_bytes(code.archive.size());
    part.set_offset(offset);
    if (asked) part.set_data(code.archive.substr(offset, kUploadPart));
    wire::UploadCodeResponse response;
    const absl::Status status = wire_->Repeat([&](bool*) {
      grpc::ClientContext call;
      wire_->Prepare(&call, std::chrono::seconds(30));
      return wire_->stub->UploadCode(&call, part, &response);
    });
    if (!status.ok()) return status;
    offset = response.next_offset();
    asked = true;
  }
  return absl::OkStatus();
}

absl::StatusOr<Submitted> Client::Submit(const SubmitRequest& request) {
  if (request.code != nullptr && !request.dry_run) {
    if (absl::Status uploaded = Upload(*request.code); !uploaded.ok()) return uploaded;
  }
  wire::SubmitJobRequest message;
  message.set_spec_yaml(request.yaml);
  message.set_spec_name(request.file_name);
  for (const std::string& change : request.overrides) message.add_overrides(change);
  message.set_idempotency_key(request.idempotency_key);
  message.set_dry_run(request.dry_run);
  message.set_resume_from(request.resume_from);
  message.set_allow_uncommitted(request.allow_uncommitted);
  wire::SubmitJobResponse response;
  const absl::Status status = wire_->Repeat([&](bool*) {
    grpc::ClientContext call;
    // The coordinator may wait for the check of data and store.
    wire_->Prepare(&call, std::chrono::seconds(30));
    return wire_->stub->SubmitJob(&call, message, &response);
  });
  if (!status.ok()) return status;
  return Submitted{wire_->Value(response.job()),
                   response.already_existed(),
                   {response.warnings().begin(), response.warnings().end()}};
}

absl::StatusOr<Job> Client::GetJob(const std::string& job) {
  wire::GetJobRequest request;
  request.set_job(job);
  wire::Job response;
  if (auto status = wire_->Call(&Stub::GetJob, request, &response); !status.ok()) return status;
  return wire_->Value(response);
}

namespace {

// This queue, and those below it: only the lowest have jobs.
absl::StatusOr<std::vector<std::string>> AtOrBelow(const Queues& all, const std::string& name) {
  std::map<std::string, std::string> parents;
  std::string names;
  for (const Queue& queue : all.queues) {
    parents[queue.name] = queue.parent;
    names += (names.empty() ? "" : ", ") + queue.name;
  }
  if (!parents.contains(name)) {
    return absl::InvalidArgumentError("there is no queue \"" + name +
                                      "\"; the queues are: " + names);
  }
  std::vector<std::string> below;
  for (const Queue& queue : all.queues) {
    std::string at = queue.name;
    while (!at.empty() && at != name) at = parents[at];
    if (at == name) below.push_back(queue.name);
  }
  return below;
}

}  // namespace

absl::StatusOr<Listed<Job>> Client::ListJobs(const JobFilter& filter) {
  wire::ListJobsRequest request;
  for (const std::string& name : filter.states) {
    wire::JobState state;
    if (!wire::JobState_Parse(name, &state)) {
      return absl::InvalidArgumentError(
          "found the state \"" + name +
          "\", expected PENDING, RUNNING, RECOVERING, COMPLETED, FAILED, "
          "CANCELLED, TIMEOUT, NODE_FAIL, PREEMPTED or OUT_OF_MEMORY");
    }
    request.add_states(state);
  }
  request.set_name_prefix(filter.name_prefix);
  request.mutable_labels()->insert(filter.labels.begin(), filter.labels.end());
  request.set_active_only(filter.active_only);
  request.set_submitted_by(filter.submitted_by);
  if (!filter.queues.empty()) {
    const auto queues = ListQueues();
    if (!queues.ok()) return queues.status();
    for (const std::string& name : filter.queues) {
      const auto below = AtOrBelow(*queues, name);
      if (!below.ok()) return below.status();
      for (const std::string& queue : *below) request.add_queues(queue);
    }
  }
  request.set_page_size(
      filter.limit > 0 && filter.limit < 1000 ? static_cast<uint32_t>(filter.limit) : 1000);
  wire::ListJobsResponse all;
  do {
    wire::ListJobsResponse page;
    if (auto status = wire_->Call(&Stub::ListJobs, request, &page); !status.ok()) return status;
    request.set_page_token(page.next_page_token());
    all.mutable_jobs()->MergeFrom(page.jobs());
  } while (!request.page_token().empty() &&
           (filter.limit == 0 || static_cast<size_t>(all.jobs_size()) < filter.limit));
  while (filter.limit > 0 && static_cast<size_t>(all.jobs_size()) > filter.limit) {
    all.mutable_jobs()->RemoveLast();
  }
  Listed<Job> out{{}, wire_->Json(all)};
  for (const auto& job : all.jobs()) out.items.push_back(FromWire(job));
  return out;
}

absl::StatusOr<Job> Client::CancelJob(const std::string& job, const std::string& reason,
                                      bool save) {
  wire::CancelJobRequest request;
  request.set_job(job);
  request.set_reason(reason);
  request.set_save(save);
  wire::CancelJobResponse response;
  if (auto status = wire_->Call(&Stub::CancelJob, request, &response); !status.ok()) return status;
  return wire_->Value(response.job());
}

absl::StatusOr<Listed<Checkpoint>> Client::ListCheckpoints(const std::string& job,
                                                           bool include_deleted) {
  wire::ListCheckpointsRequest request;
  request.set_job(job);
  request.set_include_deleted(include_deleted);
  wire::ListCheckpointsResponse response;
  if (auto status = wire_->Call(&Stub::ListCheckpoints, request, &response); !status.ok()) {
    return status;
  }
  Listed<Checkpoint> out{{}, wire_->Json(response)};
  for (const auto& checkpoint : response.checkpoints()) out.items.push_back(FromWire(checkpoint));
  return out;
}

absl::StatusOr<Listed<Node>> Client::ListNodes() {
  wire::ListNodesRequest request;
  wire::ListNodesResponse all;
  do {
    wire::ListNodesResponse page;
    if (auto status = wire_->Call(&Stub::ListNodes, request, &page); !status.ok()) return status;
    request.set_page_token(page.next_page_token());
    all.mutable_nodes()->MergeFrom(page.nodes());
    *all.mutable_warnings() = page.warnings();
  } while (!request.page_token().empty());
  Listed<Node> out{{}, wire_->Json(all)};
  for (const auto& node : all.nodes()) out.items.push_back(FromWire(node));
  out.warnings = {all.warnings().begin(), all.warnings().end()};
  return out;
}

absl::StatusOr<Drained> Client::DrainNode(const std::string& node, const std::string& reason,
                                          bool undo, int64_t deadline_us) {
  wire::DrainNodeRequest request;
  request.set_node(node);
  request.set_reason(reason);
  request.set_undo(undo);
  request.set_deadline_us(deadline_us);
  wire::DrainNodeResponse response;
  if (auto status = wire_->Call(&Stub::DrainNode, request, &response); !status.ok()) return status;
  return Drained{FromWire(response.node()),
                 {response.warnings().begin(), response.warnings().end()}};
}

absl::StatusOr<Queues> Client::ListQueues() {
  wire::ListQueuesResponse response;
  auto status = wire_->Call(&Stub::ListQueues, wire::ListQueuesRequest(), &response);
  if (!status.ok()) return status;
  Queues out;
  out.policy = response.policy();
  out.default_queue = response.default_queue();
  for (const auto& queue : response.queues()) out.queues.push_back(FromWire(queue));
  out.warnings = {response.warnings().begin(), response.warnings().end()};
  out.json = wire_->Json(response);
  return out;
}

absl::StatusOr<Explanation> Client::ExplainJob(const std::string& job) {
  wire::ExplainJobRequest request;
  request.set_job(job);
  wire::ExplainJobResponse response;
  if (auto status = wire_->Call(&Stub::ExplainJob, request, &response); !status.ok()) return status;
  return wire_->Value(response);
}

absl::StatusOr<std::string> Client::ForgetNode(const std::string& node) {
  wire::ForgetNodeRequest request;
  request.set_node(node);
  wire::ForgetNodeResponse response;
  if (auto status = wire_->Call(&Stub::ForgetNode, request, &response); !status.ok()) return status;
  return response.name();
}

absl::StatusOr<ServerInfo> Client::GetServerInfo() {
  wire::ServerInfo response;
  if (auto status = wire_->Call(&Stub::GetServerInfo, wire::GetServerInfoRequest(), &response);
      !status.ok()) {
    return status;
  }
  return wire_->Value(response);
}

}  // namespace coxswain::cli::rpc
