// Calls, and the workers' streams.
#include "coordinator/rpc/servers.h"

#include <gtest/gtest.h>

#include "common/rpc/convert.h"
#include "common/rpc/error_details.h"
#include "tests/unit/coordinator/rpc/serving.h"

namespace coxswain::coordinator::rpc {
namespace {

TEST_F(ServersTest, EveryCall_NeedsTheToken) {
  for (const std::string& token : {std::string(), std::string("wrong!")}) {
    auto code = [&](auto call) {
      Context context(token);
      return call(&context).error_code();
    };
    auto stream = [](auto reader, auto message) {
      EXPECT_FALSE(reader->Read(&message));
      return reader->Finish();
    };
    std::vector<grpc::StatusCode> codes = {
        code([&](auto* c) {
          v1::SubmitJobResponse r;
          return stub_->SubmitJob(c, {}, &r);
        }),
        code([&](auto* c) {
          v1::Job r;
          return stub_->GetJob(c, {}, &r);
        }),
        code([&](auto* c) {
          v1::ListJobsResponse r;
          return stub_->ListJobs(c, {}, &r);
        }),
        code([&](auto* c) {
          v1::CancelJobResponse r;
          return stub_->CancelJob(c, {}, &r);
        }),
        code([&](auto* c) {
          v1::ListCheckpointsResponse r;
          return stub_->ListCheckpoints(c, {}, &r);
        }),
        code([&](auto* c) {
          v1::ListNodesResponse r;
          return stub_->ListNodes(c, {}, &r);
        }),
        code([&](auto* c) {
          v1::DrainNodeResponse r;
          return stub_->DrainNode(c, {}, &r);
        }),
        code([&](auto* c) {
          v1::ForgetNodeResponse r;
          return stub_->ForgetNode(c, {}, &r);
        }),
        code([&](auto* c) {
          v1::ListQueuesResponse r;
          return stub_->ListQueues(c, {}, &r);
        }),
        code([&](auto* c) {
          v1::ExplainJobResponse r;
          return stub_->ExplainJob(c, {}, &r);
        }),
        code([&](auto* c) {
          v1::ServerInfo r;
          return stub_->GetServerInfo(c, {}, &r);
        }),
        code([&](auto* c) { return stream(stub_->WatchJob(c, {}), v1::WatchJobResponse()); }),
        code([&](auto* c) { return stream(stub_->GetLogs(c, {}), v1::LogChunk()); }),
        code([&](auto* c) { return stream(stub_->GetMetrics(c, {}), v1::MetricPoints()); }),
        code([&](auto* c) { return stream(stub_->ListEvents(c, {}), v1::Event()); }),
        code([&](auto* c) { return workers_->Connect(c)->Finish(); })};
    for (grpc::StatusCode found : codes) EXPECT_EQ(found, grpc::StatusCode::UNAUTHENTICATED);
  }
  EXPECT_TRUE(api_.submitted().empty());
}

TEST_F(ServersTest, Submit_ChecksTheRequestAndPassesItOn) {
  v1::SubmitJobRequest request;
  v1::SubmitJobResponse response;
  auto submit = [&] {
    Context context;
    context.AddMetadata("coxswain-user", "ann");
    return stub_->SubmitJob(&context, request, &response);
  };
  EXPECT_EQ(submit().error_message(), "spec_yaml is empty, expected a job file's text");
  request.set_spec_yaml("kind: TrainingJob");
  request.set_idempotency_key(std::string(129, 'k'));
  EXPECT_EQ(submit().error_message(), "idempotency_key has 129 bytes, at most 128 are allowed");
  request.set_idempotency_key("two\nlines");
  EXPECT_EQ(submit().error_message(),
            "idempotency_key holds a control character, expected a line of text");
  request.set_idempotency_key("key");
  request.set_allow_uncommitted(true);
  EXPECT_EQ(submit().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  request.set_allow_uncommitted(false);
  ASSERT_TRUE(submit().ok());
  EXPECT_EQ(response.job().id(), "j1");
  EXPECT_EQ(response.job().submitted_by(), "ann");
  EXPECT_EQ(api_.submitted().at(0).idempotency_key, "key");
}

TEST_F(ServersTest, WrongJobFile_HasEveryMistakeInTheDetails) {
  api_.submit_status = absl::InvalidArgumentError("job.yaml has 1 mistake");
  api_.mistakes = {{"job.yaml", 14, "spec.optimiser", "unknown key"}};
  v1::SubmitJobRequest request;
  request.set_spec_yaml("x");
  v1::SubmitJobResponse response;
  Context context;
  grpc::Status status = stub_->SubmitJob(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  v1::SubmitJobError detail;
  ASSERT_TRUE(coxswain::rpc::FindDetail(status, &detail));
  EXPECT_EQ(detail.mistakes(0).line(), 14u);
  EXPECT_EQ(detail.mistakes(0).key(), "spec.optimiser");
}

TEST_F(ServersTest, SubmitThatIsNeverAnswered_EndsWithItsDeadlineAndTheServerStops) {
  api_.hold_submits = true;
  v1::SubmitJobRequest request;
  request.set_spec_yaml("x");
  v1::SubmitJobResponse response;
  grpc::ClientContext context;
  Authorize(&context, "secret");
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(20));
  EXPECT_EQ(stub_->SubmitJob(&context, request, &response).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  servers_->Stop(base::Duration(0));
}

TEST_F(ServersTest, ListJobs_PagesWithTokensBoundToTheFilter) {
  for (uint64_t id = 1; id <= 5; ++id) api_.PutJob(Job(id, core::JobState::kPending));
  v1::ListJobsRequest request;
  request.set_page_size(2);
  std::vector<std::string> ids;
  std::string second_page;
  do {
    v1::ListJobsResponse response;
    Context context;
    ASSERT_TRUE(stub_->ListJobs(&context, request, &response).ok());
    for (const v1::Job& job : response.jobs()) ids.push_back(job.id());
    if (second_page.empty()) second_page = response.next_page_token();
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(ids, (std::vector<std::string>{"j5", "j4", "j3", "j2", "j1"}));

  auto refused = [&](const std::string& token, const std::string& prefix) {
    v1::ListJobsResponse response;
    Context context;
    request.set_page_token(token);
    request.set_name_prefix(prefix);
    return stub_->ListJobs(&context, request, &response).error_code() ==
           grpc::StatusCode::INVALID_ARGUMENT;
  };
  EXPECT_FALSE(refused(second_page, ""));
  EXPECT_TRUE(refused(second_page, "other"));
  EXPECT_TRUE(refused("garbage", ""));
  EXPECT_TRUE(refused(second_page.substr(2), ""));
  second_page.back() = second_page.back() == '1' ? '2' : '1';
  EXPECT_TRUE(refused(second_page, ""));
}

TEST_F(ServersTest, Job_NamesNodesAsPeopleDo) {
  api_.AddNode("n-a30a94c0", "machine-a");
  runtime::JobView job = Job(1, core::JobState::kFailed);
  core::RankRow rank;
  rank.node = core::NodeId("n-a30a94c0");
  rank.exit.emplace();
  job.record.ranks = {rank};
  job.record.job.exit = core::Exit{0, core::NodeId("n-gone"), {}};
  api_.PutJob(job);
  v1::GetJobRequest request;
  request.set_job("j1");
  v1::Job out;
  Context context;
  ASSERT_TRUE(stub_->GetJob(&context, request, &out).ok());
  EXPECT_EQ(out.ranks(0).node(), "machine-a");
  EXPECT_EQ(out.ranks(0).exit().node(), "machine-a");
  EXPECT_EQ(out.exit().node(), "n-gone") << "the id is all that is left of it";
  EXPECT_EQ(api_.name_reads, 2) << "the store is asked for each node once";
}

TEST_F(ServersTest, Drain_FindsNodesByIdOrUniqueName) {
  api_.AddNode("n1", "alpha");
  api_.AddNode("n2", "beta");
  api_.AddNode("n3", "beta");
  auto drain = [&](const std::string& name, v1::DrainNodeResponse* out) {
    v1::DrainNodeRequest request;
    request.set_node(name);
    Context context;
    return stub_->DrainNode(&context, request, out);
  };
  v1::DrainNodeResponse response;
  ASSERT_TRUE(drain("alpha", &response).ok());
  EXPECT_EQ(response.node().id(), "n1");
  EXPECT_EQ(response.node().state(), "DRAINED");
  EXPECT_EQ(response.warnings(0), "j1 (train) can go on there only");
  ASSERT_TRUE(drain("n3", &response).ok());
  EXPECT_EQ(drain("beta", &response).error_message(),
            "several nodes are named 'beta', give one's id: n2, n3");
  EXPECT_EQ(drain("gamma", &response).error_message(),
            "no node 'gamma': there are alpha, beta, beta");
  v1::DrainNodeRequest before_time;
  before_time.set_node("alpha");
  before_time.set_deadline_us(-1);
  Context context;
  EXPECT_EQ(stub_->DrainNode(&context, before_time, &response).error_message(),
            "deadline_us is -1, expected microseconds since 1970, or 0 for none");
}

TEST_F(ServersTest, Explain_TellsTheWholeStory_OfAsManyNodesAsAskedFor) {
  runtime::Explanation& it = api_.explanation;
  it.job.record.job.id = core::JobId(1);
  it.job.record.job.state = core::JobState::kPending;
  it.job.live.expected_end = {77};
  it.since = {55};
  it.reasons = {"needs 2 ranks", "1 is free"};
  it.let_go = {"nobody"};
  it.warnings = {"queue old is no longer configured"};
  it.queues.emplace_back().settings.name = "research";
  for (const char* name : {"a", "b", "c"}) {
    runtime::NodeRoom& room = it.nodes.emplace_back();
    room.node.row.Edit().name = name;
    room.why_not = "it is draining";
  }
  it.nodes[0].ranks = 2;
  it.no_room.push_back({"it is draining", 2, {"b", "c"}});
  api_.PutJob(Job(1, core::JobState::kPending));
  v1::ExplainJobRequest request;
  request.set_job("j1");
  request.set_max_nodes(2);
  v1::ExplainJobResponse response;
  Context context;
  grpc::Status status = stub_->ExplainJob(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.job().id(), "j1");
  EXPECT_EQ(response.reasons_size(), 2);
  EXPECT_EQ(response.since_us(), 55);
  EXPECT_EQ(response.expected_end_us(), 77);
  EXPECT_EQ(response.let_go(0), "nobody");
  EXPECT_EQ(response.queues(0).name(), "research");
  EXPECT_EQ(response.queues(0).user_jobs(), -1);
  ASSERT_EQ(response.nodes_size(), 2);
  EXPECT_EQ(response.nodes(0).ranks(), 2u);
  EXPECT_EQ(response.nodes(1).why_not(), "it is draining");
  EXPECT_EQ(response.nodes_in_all(), 3u);
  ASSERT_EQ(response.no_room_size(), 1);
  EXPECT_EQ(response.no_room(0).why_not(), "it is draining");
  EXPECT_EQ(response.no_room(0).count(), 2u);
  EXPECT_EQ(response.no_room(0).names(1), "c");
  EXPECT_EQ(response.warnings_size(), 1);
}

TEST_F(ServersTest, Forget_AnswersWithTheNodeOrWhyNot) {
  api_.AddNode("n1", "alpha");
  api_.AddNode("n2", "old-beta");
  auto forget = [&](const std::string& name, v1::ForgetNodeResponse* out) {
    v1::ForgetNodeRequest request;
    request.set_node(name);
    Context context;
    return stub_->ForgetNode(&context, request, out);
  };
  v1::ForgetNodeResponse response;
  ASSERT_TRUE(forget("old-beta", &response).ok());
  EXPECT_EQ(response.id(), "n2");
  EXPECT_EQ(response.name(), "old-beta");
  grpc::Status refused = forget("n1", &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(refused.error_message(), "node alpha is connected");
  EXPECT_EQ(forget("gamma", &response).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ServersTest, WorkerStream_BeginsWithHelloAndCarriesOrders) {
  Context context;
  auto stream = workers_->Connect(&context);
  wire::WorkerReport report;
  protocol::WorkerHello hello;
  hello.node = core::NodeId("n1");
  hello.incarnation = core::Incarnation(5);
  coxswain::rpc::ToProto(protocol::WorkerReport(hello), &report);
  ASSERT_TRUE(stream->Write(report));
  EXPECT_EQ(gateway_.hellos.Take().node, core::NodeId("n1"));
  auto session = gateway_.sessions.Take();
  session->Send(core::Term(4), protocol::ForgetJob{core::JobId(2)});
  wire::WorkerOrder order;
  ASSERT_TRUE(stream->Read(&order));
  EXPECT_EQ(order.term(), 4u);
  EXPECT_EQ(order.forget_job().job(), 2u);
  report.Clear();
  report.mutable_heartbeat();
  ASSERT_TRUE(stream->Write(report));
  EXPECT_TRUE(std::holds_alternative<protocol::Heartbeat>(gateway_.reports.Take()));
  session->Send(core::Term(4), protocol::Rejected{"a cloned disk", true});
  session->Close();
  ASSERT_TRUE(stream->Read(&order));  // what was sent before still arrives
  EXPECT_TRUE(order.has_rejected());
  EXPECT_FALSE(stream->Read(&order));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  gateway_.gone.Take();
}

TEST_F(ServersTest, WorkerStreamThatBreaksTheRules_IsEndedWithAReason) {
  auto end = [&](const wire::WorkerReport& report) {
    Context context;
    auto stream = workers_->Connect(&context);
    stream->Write(report);
    return stream->Finish();
  };
  wire::WorkerReport report;
  report.mutable_heartbeat();
  EXPECT_EQ(end(report).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  report.mutable_hello()->set_node("n1");
  grpc::Status status = end(report);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "WorkerHello.incarnation is 0, expected at least 1");
  EXPECT_EQ(gateway_.gone.size(), 0u);
}

TEST(StartServers, PortInUse_NamesIt) {
  FakeApi api;
  FakeGateway gateway;
  auto first = StartServers({"127.0.0.1:0", "127.0.0.1:0", "t"}, &api, &gateway);
  ASSERT_TRUE(first.ok());
  std::string taken = (*first)->worker_address();
  auto second = StartServers({"127.0.0.1:0", taken, "t"}, &api, &gateway);
  EXPECT_EQ(std::string(second.status().message()).find(taken + " is in use by another process"),
            0u);
}

TEST_F(ServersTest, Reasons_AreOneShortLine) {
  for (const std::string& reason :
       {std::string(501, 'r'), std::string("two\nlines"), std::string("\x1b[31m")}) {
    v1::CancelJobRequest cancel;
    cancel.set_job("j1");
    cancel.set_reason(reason);
    v1::CancelJobResponse cancelled;
    Context first;
    EXPECT_EQ(stub_->CancelJob(&first, cancel, &cancelled).error_code(),
              grpc::StatusCode::INVALID_ARGUMENT);
    v1::DrainNodeRequest drain;
    drain.set_node("a");
    drain.set_reason(reason);
    v1::DrainNodeResponse drained;
    Context second;
    EXPECT_EQ(stub_->DrainNode(&second, drain, &drained).error_code(),
              grpc::StatusCode::INVALID_ARGUMENT);
  }
}

}  // namespace
}  // namespace coxswain::coordinator::rpc
