#include "coordinator/rpc/api_service.h"

#include <grpcpp/server_context.h>

#include <algorithm>

#include "common/base/clock.h"
#include "common/base/name_order.h"
#include "common/rpc/channel.h"
#include "common/rpc/error_details.h"
#include "common/rpc/token.h"
#include "coordinator/rpc/api_convert.h"
#include "coordinator/rpc/page_token.h"
#include "coordinator/rpc/requests.h"
#include "coordinator/rpc/streams.h"
#include "coordinator/rpc/unary_call.h"
#include "coxswain/v1/coxswain.grpc.pb.h"

namespace coxswain::coordinator::rpc {
namespace {

using coxswain::rpc::ToGrpc;

// Who submits, as they say; for people, not for rights.
std::string SubmitterOf(const grpc::CallbackServerContext& call) {
  auto found = call.client_metadata().find("coxswain-user");
  if (found == call.client_metadata().end()) return call.peer();
  return std::string(found->second.data(), std::min<size_t>(found->second.size(), 128));
}

grpc::Status JobFileError(const absl::Status& status,
                          const std::vector<config::Mistake>& mistakes) {
  if (mistakes.empty()) return ToGrpc(status);
  v1::SubmitJobError detail;
  for (const config::Mistake& mistake : mistakes) {
    v1::SubmitJobError::Mistake* to = detail.add_mistakes();
    to->set_file(mistake.file);
    to->set_line(mistake.line);
    to->set_key(mistake.key);
    to->set_text(mistake.text);
  }
  return coxswain::rpc::WithDetail(static_cast<grpc::StatusCode>(status.code()),
                                   std::string(status.message()), detail);
}

class Service final : public v1::Coxswain::CallbackService {
 public:
  Service(runtime::Api* api, WorkLoop* loop, WorkLoop* files, std::string token)
      : api_(api), loop_(loop), files_(files), token_(std::move(token)) {}

  grpc::ServerUnaryReactor* SubmitJob(grpc::CallbackServerContext* context,
                                      const v1::SubmitJobRequest* request,
                                      v1::SubmitJobResponse* out) override {
    auto call = UnaryCall<v1::SubmitJobResponse>::Make(out);
    grpc::Status status = Enter(*context);
    if (status.ok()) status = Check(*request);
    if (!status.ok()) return Done(call, status);
    runtime::SubmitRequest submit{
        .spec_yaml = request->spec_yaml(),
        .spec_name = request->spec_name().empty() ? "job.yaml" : request->spec_name(),
        .overrides = {request->overrides().begin(), request->overrides().end()},
        .idempotency_key = request->idempotency_key(),
        .dry_run = request->dry_run(),
        .resume_from = request->resume_from(),
        .allow_uncommitted = request->allow_uncommitted(),
        .submitted_by = SubmitterOf(*context)};
    api_->Submit(std::move(submit),
                 [call, names = NamesFrom(api_)](absl::StatusOr<runtime::SubmitResult> result,
                                                 std::vector<config::Mistake> mistakes) {
                   if (!result.ok()) return call->Answer(JobFileError(result.status(), mistakes));
                   v1::SubmitJobResponse response;
                   Fill(result->job, JobParts::kAll, names, response.mutable_job());
                   response.set_already_existed(result->already_existed);
                   for (const std::string& warning : result->warnings)
                     response.add_warnings(warning);
                   call->Answer(grpc::Status::OK, &response);
                 });
    return call.get();
  }

  grpc::ServerUnaryReactor* UploadCode(grpc::CallbackServerContext* context,
                                       const v1::UploadCodeRequest* request,
                                       v1::UploadCodeResponse* out) override {
    auto call = UnaryCall<v1::UploadCodeResponse>::Make(out);
    if (grpc::Status status = Enter(*context); !status.ok()) return Done(call, status);
    files_->Post([this, call, request = *request] {
      absl::StatusOr<uint64_t> next =
          api_->AddCode(request.code(), request.total_bytes(), request.offset(), request.data());
      v1::UploadCodeResponse response;
      if (next.ok()) response.set_next_offset(*next);
      call->Answer(ToGrpc(next.status()), &response);
    });
    return call.get();
  }

  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext* context,
                                   const v1::GetJobRequest* request, v1::Job* out) override {
    return Read(context, out, [this, name = request->job()](v1::Job* response) {
      absl::StatusOr<core::JobId> id = api_->ResolveJob(name);
      if (!id.ok()) return ToGrpc(id.status());
      absl::StatusOr<runtime::JobView> job = api_->GetJob(*id);
      if (job.ok()) Fill(*job, JobParts::kAll, NamesFrom(api_), response);
      return ToGrpc(job.status());
    });
  }

  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context,
                                     const v1::ListJobsRequest* request,
                                     v1::ListJobsResponse* out) override {
    return Read(context, out, [this, request = *request](v1::ListJobsResponse* response) {
      store::JobFilter filter;
      std::string scope;
      if (grpc::Status s = ReadFilter(request, &filter, &scope); !s.ok()) return s;
      absl::StatusOr<std::vector<runtime::JobView>> jobs = api_->ListJobs(filter);
      if (!jobs.ok()) return ToGrpc(jobs.status());
      if (jobs->size() == filter.limit) {  // one more than the page holds
        jobs->pop_back();
        core::JobId last = jobs->back().record.job.id;
        response->set_next_page_token(MakePageToken(std::to_string(last.value), scope));
      }
      const NodeNames names = NamesFrom(api_);
      for (const runtime::JobView& job : *jobs)
        Fill(job, JobParts::kList, names, response->add_jobs());
      return grpc::Status::OK;
    });
  }

  grpc::ServerUnaryReactor* CancelJob(grpc::CallbackServerContext* context,
                                      const v1::CancelJobRequest* request,
                                      v1::CancelJobResponse* out) override {
    auto call = UnaryCall<v1::CancelJobResponse>::Make(out);
    grpc::Status status = Enter(*context);
    if (status.ok()) status = Check(*request);
    if (!status.ok()) return Done(call, status);
    loop_->Post([this, call, request = *request] {
      absl::StatusOr<core::JobId> id = api_->ResolveJob(request.job());
      if (!id.ok()) return call->Answer(ToGrpc(id.status()));
      api_->Cancel(*id, request.reason(), request.save(),
                   [call, names = NamesFrom(api_)](absl::StatusOr<runtime::JobView> job) {
                     v1::CancelJobResponse response;
                     if (job.ok()) Fill(*job, JobParts::kWatch, names, response.mutable_job());
                     call->Answer(ToGrpc(job.status()), &response);
                   });
    });
    return call.get();
  }

  grpc::ServerUnaryReactor* ListCheckpoints(grpc::CallbackServerContext* context,
                                            const v1::ListCheckpointsRequest* request,
                                            v1::ListCheckpointsResponse* out) override {
    return Read(context, out, [this, request = *request](v1::ListCheckpointsResponse* response) {
      absl::StatusOr<core::JobId> id = api_->ResolveJob(request.job());
      if (!id.ok()) return ToGrpc(id.status());
      auto rows = api_->ListCheckpoints(*id, request.include_deleted());
      if (!rows.ok()) return ToGrpc(rows.status());
      for (const core::CheckpointRow& row : *rows) Fill(row, response->add_checkpoints());
      return grpc::Status::OK;
    });
  }

  grpc::ServerUnaryReactor* ListNodes(grpc::CallbackServerContext* context,
                                      const v1::ListNodesRequest* request,
                                      v1::ListNodesResponse* out) override {
    return Read(context, out, [this, request = *request](v1::ListNodesResponse* response) {
      std::optional<std::string> after = std::string();
      if (!request.page_token().empty()) after = ReadPageToken(request.page_token(), "nodes");
      if (!after) return BadPageToken();
      absl::StatusOr<std::vector<runtime::NodeView>> nodes = api_->ListNodes();
      if (!nodes.ok()) return ToGrpc(nodes.status());
      const int page = static_cast<int>(PageSize(request.page_size()));
      for (const runtime::NodeView& node : *nodes) {
        if (node.row->id.value <= *after) continue;
        if (response->nodes_size() == page) {
          response->set_next_page_token(MakePageToken(response->nodes(page - 1).id(), "nodes"));
          break;
        }
        Fill(node, response->add_nodes());
      }
      for (std::string& warning : core::NodeWarnings(*nodes)) {
        response->add_warnings(std::move(warning));
      }
      return grpc::Status::OK;
    });
  }

  grpc::ServerUnaryReactor* DrainNode(grpc::CallbackServerContext* context,
                                      const v1::DrainNodeRequest* request,
                                      v1::DrainNodeResponse* out) override {
    auto call = UnaryCall<v1::DrainNodeResponse>::Make(out);
    grpc::Status status = Enter(*context);
    if (status.ok()) status = Check(*request);
    if (!status.ok()) return Done(call, status);
    loop_->Post([this, call, request = *request] {
      core::NodeId node;
      if (grpc::Status s = ResolveNode(request.node(), &node); !s.ok()) return call->Answer(s);
      api_->Drain(node, request.reason(), request.undo(), {request.deadline_us()},
                  [call](absl::StatusOr<runtime::DrainResult> result) {
                    v1::DrainNodeResponse response;
                    if (result.ok()) Fill(*result, &response);
                    call->Answer(ToGrpc(result.status()), &response);
                  });
    });
    return call.get();
  }

  grpc::ServerUnaryReactor* ForgetNode(grpc::CallbackServerContext* context,
                                       const v1::ForgetNodeRequest* request,
                                       v1::ForgetNodeResponse* out) override {
    auto call = UnaryCall<v1::ForgetNodeResponse>::Make(out);
    if (grpc::Status status = Enter(*context); !status.ok()) return Done(call, status);
    loop_->Post([this, call, request = *request] {
      core::NodeId node;
      if (grpc::Status s = ResolveNode(request.node(), &node); !s.ok()) return call->Answer(s);
      api_->Forget(node, [call](absl::StatusOr<runtime::NodeView> view) {
        v1::ForgetNodeResponse response;
        if (view.ok()) {
          response.set_id(view->row->id.value);
          response.set_name(view->row->name);
        }
        call->Answer(ToGrpc(view.status()), &response);
      });
    });
    return call.get();
  }

  grpc::ServerUnaryReactor* ListQueues(grpc::CallbackServerContext* context,
                                       const v1::ListQueuesRequest*,
                                       v1::ListQueuesResponse* out) override {
    return Read(context, out, [this](v1::ListQueuesResponse* response) {
      Fill(api_->ListQueues(), response);
      return grpc::Status::OK;
    });
  }

  grpc::ServerUnaryReactor* ExplainJob(grpc::CallbackServerContext* context,
                                       const v1::ExplainJobRequest* request,
                                       v1::ExplainJobResponse* out) override {
    return Read(context, out, [this, request = *request](v1::ExplainJobResponse* response) {
      absl::StatusOr<core::JobId> id = api_->ResolveJob(request.job());
      if (!id.ok()) return ToGrpc(id.status());
      absl::StatusOr<runtime::Explanation> explanation = api_->Explain(*id);
      if (!explanation.ok()) return ToGrpc(explanation.status());
      Fill(*explanation, PageSize(request.max_nodes()), NamesFrom(api_), response);
      return grpc::Status::OK;
    });
  }

  grpc::ServerUnaryReactor* GetServerInfo(grpc::CallbackServerContext* context,
                                          const v1::GetServerInfoRequest*,
                                          v1::ServerInfo* out) override {
    return Read(context, out, [this](v1::ServerInfo* response) {
      Fill(api_->Status(), response);
      return grpc::Status::OK;
    });
  }

  grpc::ServerWriteReactor<v1::WatchJobResponse>* WatchJob(
      grpc::CallbackServerContext* context, const v1::WatchJobRequest* request) override {
    return Stream<v1::WatchJobResponse>(Enter(*context),
                                        [&] { return MakeJobStream(api_, loop_, *request); });
  }
  grpc::ServerWriteReactor<v1::LogChunk>* GetLogs(grpc::CallbackServerContext* context,
                                                  const v1::GetLogsRequest* request) override {
    grpc::Status status = Enter(*context);
    return Stream<v1::LogChunk>(status.ok() ? Check(*request) : status,
                                [&] { return MakeLogStream(api_, loop_, *request); });
  }
  grpc::ServerWriteReactor<v1::MetricPoints>* GetMetrics(
      grpc::CallbackServerContext* context, const v1::GetMetricsRequest* request) override {
    grpc::Status status = Enter(*context);
    return Stream<v1::MetricPoints>(status.ok() ? Check(*request) : status,
                                    [&] { return MakeMetricStream(api_, loop_, *request); });
  }
  grpc::ServerWriteReactor<v1::Event>* ListEvents(grpc::CallbackServerContext* context,
                                                  const v1::ListEventsRequest* request) override {
    grpc::Status status = Enter(*context);
    return Stream<v1::Event>(status.ok() ? Check(*request) : status,
                             [&] { return MakeEventStream(api_, loop_, *request); });
  }

 private:
  // Times in answers are on this clock; the caller's may be another.
  grpc::Status Enter(grpc::CallbackServerContext& context) const {
    context.AddInitialMetadata("coxswain-time-us", std::to_string(base::WallNow().us));
    return coxswain::rpc::CheckToken(context, token_);
  }

  template <class Response>
  static grpc::ServerUnaryReactor* Done(const std::shared_ptr<UnaryCall<Response>>& call,
                                        const grpc::Status& status) {
    call->Answer(status);
    return call.get();
  }

  // A call whose answer is read on the work loop: `fill` says how it ends.
  template <class Response, class FillResponse>
  grpc::ServerUnaryReactor* Read(grpc::CallbackServerContext* context, Response* out,
                                 FillResponse fill) {
    auto call = UnaryCall<Response>::Make(out);
    if (grpc::Status status = Enter(*context); !status.ok()) return Done(call, status);
    loop_->Post([call, fill = std::move(fill)] {
      Response response;
      grpc::Status status = fill(&response);
      call->Answer(status, &response);
    });
    return call.get();
  }

  template <class Response, class MakeStream>
  static grpc::ServerWriteReactor<Response>* Stream(const grpc::Status& status,
                                                    const MakeStream& make) {
    if (!status.ok()) return new RefusedStream<Response>(status);
    return StreamCall<Response>::Begin(make());
  }

  // By id, or by a name that only one node has.
  grpc::Status ResolveNode(const std::string& id_or_name, core::NodeId* out) {
    absl::StatusOr<std::vector<runtime::NodeView>> nodes = api_->ListNodes();
    if (!nodes.ok()) return ToGrpc(nodes.status());
    std::vector<std::string> known;
    std::string same;
    int matches = 0;
    for (const runtime::NodeView& node : *nodes) {
      bool by_id = node.row->id.value == id_or_name;
      known.push_back(node.row->name);
      if (!by_id && node.row->name != id_or_name) continue;
      *out = node.row->id;
      if (by_id) return grpc::Status::OK;
      same += (same.empty() ? "" : ", ") + node.row->id.value;
      ++matches;
    }
    if (matches == 1) return grpc::Status::OK;
    if (matches > 1) {
      return Invalid("several nodes are named '" + id_or_name + "', give one's id: " + same);
    }
    return {grpc::StatusCode::NOT_FOUND, "no node '" + id_or_name + "'" +
                                             (known.empty() ? ": no worker has ever connected"
                                                            : ": " + Known(std::move(known)))};
  }

  // "there are a, b and 3 more".
  static std::string Known(std::vector<std::string> names) {
    constexpr size_t kMostTold = 20;
    std::sort(names.begin(), names.end(), base::NameBefore);
    std::string text = names.size() == 1 ? "there is " : "there are ";
    const size_t told = std::min(names.size(), kMostTold);
    for (size_t i = 0; i < told; ++i) text += (i == 0 ? "" : ", ") + names[i];
    return told == names.size() ? text
                                : text + " and " + std::to_string(names.size() - told) + " more";
  }

  runtime::Api* const api_;
  WorkLoop* const loop_;
  WorkLoop* const files_;
  const std::string token_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeApiService(runtime::Api* api, WorkLoop* loop, WorkLoop* files,
                                              std::string token) {
  return std::make_unique<Service>(api, loop, files, std::move(token));
}

}  // namespace coxswain::coordinator::rpc
