// An API server in this process that answers by script, for tests of the client.
#pragma once

#include <grpcpp/grpcpp.h>

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "coxswain/v1/coxswain.grpc.pb.h"

namespace coxswain::fakes {

namespace v1 = ::coxswain::v1;

class FakeCoxswainService final : public v1::Coxswain::Service {
 public:
  FakeCoxswainService() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~FakeCoxswainService() override { server_->Shutdown(std::chrono::system_clock::now()); }

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  // The script: set before the first call.
  std::string token = "secret-token";
  int lost_answers = 0;  // so many submissions are accepted, but their answers are UNAVAILABLE
  grpc::Status submit_status;  // the answer to SubmitJob when it is not OK
  std::vector<v1::Job> jobs;   // newest first; also found by GetJob
  size_t page_size = 1000;     // of ListJobs at most
  // Streams: each connection sends one list, then breaks; the last one ends as it should.
  std::vector<std::vector<v1::WatchJobResponse>> watch;
  std::vector<std::vector<v1::LogChunk>> logs;

  // What was asked.
  std::map<std::string, std::string> accepted;  // key -> job id
  std::vector<v1::SubmitJobRequest> submissions;
  std::vector<uint64_t> watch_cursors;
  std::vector<v1::GetLogsRequest> log_requests;

  grpc::Status SubmitJob(grpc::ServerContext* call, const v1::SubmitJobRequest* request,
                         v1::SubmitJobResponse* response) override {
    if (grpc::Status status = Check(call); !status.ok()) return status;
    submissions.push_back(*request);
    if (!submit_status.ok()) return submit_status;
    const std::string next = "j" + std::to_string(accepted.size() + 1);
    const auto [it, is_new] = accepted.emplace(request->idempotency_key(), next);
    if (lost_answers-- > 0) return {grpc::StatusCode::UNAVAILABLE, "Socket closed"};
    response->mutable_job()->set_id(it->second);
    response->set_already_existed(!is_new);
    return grpc::Status::OK;
  }

  grpc::Status GetJob(grpc::ServerContext* call, const v1::GetJobRequest* request,
                      v1::Job* response) override {
    if (grpc::Status status = Check(call); !status.ok()) return status;
    for (const v1::Job& job : jobs) {
      if (job.id() == request->job() || job.name() == request->job()) {
        *response = job;
        return grpc::Status::OK;
      }
    }
    return {grpc::StatusCode::NOT_FOUND, "no job '" + request->job() + "'"};
  }

  grpc::Status ListJobs(grpc::ServerContext* call, const v1::ListJobsRequest* request,
                        v1::ListJobsResponse* response) override {
    if (grpc::Status status = Check(call); !status.ok()) return status;
    size_t at = request->page_token().empty() ? 0 : std::stoul(request->page_token());
    const size_t end =
        std::min(jobs.size(), at + std::min<size_t>(page_size, request->page_size()));
    for (; at < end; ++at) *response->add_jobs() = jobs[at];
    if (at < jobs.size()) response->set_next_page_token(std::to_string(at));
    return grpc::Status::OK;
  }

  grpc::Status WatchJob(grpc::ServerContext* call, const v1::WatchJobRequest* request,
                        grpc::ServerWriter<v1::WatchJobResponse>* out) override {
    if (grpc::Status status = Check(call); !status.ok()) return status;
    watch_cursors.push_back(request->cursor());
    return Play(watch, watch_cursors.size(), out);
  }

  grpc::Status GetLogs(grpc::ServerContext* call, const v1::GetLogsRequest* request,
                       grpc::ServerWriter<v1::LogChunk>* out) override {
    if (grpc::Status status = Check(call); !status.ok()) return status;
    log_requests.push_back(*request);
    return Play(logs, log_requests.size(), out);
  }

 private:
  template <class Message>
  grpc::Status Play(const std::vector<std::vector<Message>>& script, size_t connection,
                    grpc::ServerWriter<Message>* out) {
    if (connection > script.size()) return {grpc::StatusCode::INTERNAL, "the script has ended"};
    for (const Message& message : script[connection - 1]) out->Write(message);
    if (connection == script.size()) return grpc::Status::OK;
    return {grpc::StatusCode::UNAVAILABLE, "Socket closed"};
  }

  grpc::Status Check(grpc::ServerContext* call) const {
    const auto it = call->client_metadata().find("authorization");
    const bool good = it != call->client_metadata().end() &&
                      std::string(it->second.data(), it->second.size()) == "Bearer " + token;
    return good ? grpc::Status::OK : grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "wrong token");
  }

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace coxswain::fakes
