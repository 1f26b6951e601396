#include "coordinator/http/http_server.h"

#include <gmock/gmock.h>
#include <httplib.h>

#include <nlohmann/json.hpp>

#include "fake_api.h"

namespace coxswain::coordinator::http {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class HttpServerTest : public testing::Test {
 protected:
  void SetUp() override { Start({"127.0.0.1:0", {}, "secret"}); }
  void Start(const HttpSettings& settings) {
    client_.reset();
    server_.reset();
    auto server = StartHttpServer(settings, &api_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    int port = std::stoi(server_->address().substr(server_->address().rfind(':') + 1));
    client_ = std::make_unique<httplib::Client>("127.0.0.1", port);
  }
  httplib::Response Get(const std::string& path, const httplib::Headers& headers = {}) {
    auto result = client_->Get(path, headers);
    EXPECT_TRUE(result) << path;
    return result ? *result : httplib::Response();
  }

  FakeApi api_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<httplib::Client> client_;
};

TEST_F(HttpServerTest, Pages_AreHtmlUnderAPolicyWithoutInline) {
  for (const char* path : {"/", "/nodes", "/queues", "/jobs/j14"}) {
    httplib::Response r = Get(path);
    EXPECT_EQ(r.status, 200) << path;
    EXPECT_EQ(r.get_header_value("Content-Type"), "text/html; charset=utf-8");
    std::string policy = r.get_header_value("Content-Security-Policy");
    EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
    EXPECT_THAT(policy, testing::Not(HasSubstr("unsafe")));
    EXPECT_THAT(r.body, testing::Not(HasSubstr(" style=\"")));
    EXPECT_THAT(r.body, testing::Not(HasSubstr("<style")));
  }
  EXPECT_EQ(Get("/style.css").status, 200);
  EXPECT_EQ(Get("/refresh.js").status, 200);
}

TEST_F(HttpServerTest, NodesPage_NoNumberIsRefused) {
  EXPECT_EQ(Get("/nodes?page=99").status, 200);  // the last one
  for (const char* page : {"-1", "x", "1.5"}) {
    httplib::Response wrong = Get(std::string("/nodes?page=") + page);
    EXPECT_EQ(wrong.status, 400);
    EXPECT_THAT(wrong.body, HasSubstr("expected 1 or more"));
  }
}

TEST_F(HttpServerTest, Jobs_FilteredAndPaged) {
  json all = json::parse(Get("/api/v1/jobs").body);
  EXPECT_EQ(all["jobs"].size(), api_.jobs.size());
  EXPECT_EQ(all["next_page_token"], "");
  json first = json::parse(Get("/api/v1/jobs?limit=2").body);
  EXPECT_EQ(first["jobs"].size(), 2u);
  json second = json::parse(
      Get("/api/v1/jobs?limit=2&page_token=" + first["next_page_token"].get<std::string>()).body);
  EXPECT_EQ(second["jobs"][0]["id"], "j13");
  json failed = json::parse(Get("/api/v1/jobs?state=FAILED,TIMEOUT").body);
  ASSERT_EQ(failed["jobs"].size(), 1u);
  EXPECT_EQ(failed["jobs"][0]["cause"], "USER");
  for (const char* wrong :
       {"?state=LOST", "?limit=0", "?limit=x", "?page_token=7", "?label=x", "?sort=1"}) {
    EXPECT_EQ(Get(std::string("/api/v1/jobs") + wrong).status, 400) << wrong;
  }
}

TEST_F(HttpServerTest, Job_WholeOrNotFound) {
  json job = json::parse(Get("/api/v1/jobs/j14").body);
  EXPECT_EQ(job["state"], "RUNNING");
  EXPECT_EQ(job["progress"]["step"], 1180);
  EXPECT_EQ(job["checkpoints"][0]["state"], "VERIFIED");
  EXPECT_EQ(job["checkpoints"][1]["state"], "DELETING");
  EXPECT_EQ(job["events"].size(), 3u);
  EXPECT_EQ(job["ranks"].size(), 2u);
  EXPECT_EQ(job["ranks"][0]["node"], "node-a");
  EXPECT_EQ(Get("/api/v1/jobs/j99").status, 404);
  EXPECT_EQ(Get("/jobs/j99").status, 404);
  EXPECT_EQ(Get("/nowhere").status, 404);
}

TEST_F(HttpServerTest, LossThatIsNoNumber_IsNullInJson) {
  api_.jobs[1].live.progress->loss = NAN;
  EXPECT_TRUE(json::parse(Get("/api/v1/jobs/j14").body)["progress"]["loss"].is_null());
}

TEST_F(HttpServerTest, Metrics_ForPrometheus) {
  api_.status.dropped_points = 1204;
  std::string text = Get("/metrics").body;
  EXPECT_THAT(text, HasSubstr("coxswain_jobs{state=\"RUNNING\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("coxswain_nodes{state=\"UNREACHABLE\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("coxswain_term 4\n"));
  std::string job = "{job=\"j14\",name=\"fashion-resnet\"} ";
  EXPECT_THAT(text, HasSubstr("coxswain_job_step" + job + "1180\n"));
  EXPECT_THAT(text, HasSubstr("coxswain_job_unsaved_seconds" + job + "7"));  // 70 s and a little
  EXPECT_THAT(text, HasSubstr("coxswain_job_progress_age_seconds" + job));
  EXPECT_THAT(text, HasSubstr("coxswain_job_conditions{job=\"j13\",name=\"word-lm\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("coxswain_metric_points_dropped_total 1204\n"));
  EXPECT_THAT(text, HasSubstr("coxswain_node_reachable{id=\"n-node-a\",node=\"node-a\"} 1\n"));
}

TEST_F(HttpServerTest, Queues_AsTheApiTellsThem) {
  json all = json::parse(Get("/api/v1/queues").body);
  EXPECT_EQ(all["policy"], "fair");
  EXPECT_EQ(all["default_queue"], "students");
  EXPECT_EQ(all["warnings"].size(), 1u);
  ASSERT_EQ(all["queues"].size(), 3u);
  const json& students = all["queues"][2];
  EXPECT_EQ(students["parent"], "science");
  EXPECT_EQ(students["quota"]["cpus"], -1);
  EXPECT_EQ(students["limit"]["gpus"], 12);
  EXPECT_EQ(students["user_jobs"], 4);
  EXPECT_EQ(students["held"]["cpus"], 4);
  EXPECT_EQ(students["pending"], 1);
  EXPECT_EQ(students["users"][0]["share_used"], 0.9);
}

TEST_F(HttpServerTest, Metrics_OfQueuesAndWaitingJobs) {
  std::string text = Get("/metrics").body;
  EXPECT_THAT(text, HasSubstr("coxswain_queue_held{queue=\"students\",kind=\"gpus\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("coxswain_queue_quota{queue=\"science\",kind=\"gpus\"} 24\n"));
  EXPECT_THAT(text,
              testing::Not(HasSubstr("coxswain_queue_quota{queue=\"science\",kind=\"cpus\"")));
  EXPECT_THAT(text, HasSubstr("coxswain_queue_limit{queue=\"students\",kind=\"cpus\"} 64\n"));
  EXPECT_THAT(text, HasSubstr("coxswain_queue_jobs{queue=\"students\",state=\"pending\"} 1\n"));
  std::string job = "{job=\"j15\",name=\"llama-eval-nightly\"} ";
  EXPECT_THAT(text, HasSubstr("coxswain_job_waiting_seconds" + job + "540"));
  EXPECT_THAT(text, HasSubstr("coxswain_job_expected_start_time_seconds" + job));
}

TEST_F(HttpServerTest, Ready_SaysWhyNot) {
  EXPECT_EQ(Get("/healthz").status, 200);
  EXPECT_EQ(Get("/readyz").status, 200);
  api_.status.writable = false;
  api_.status.why_not = "no space left";
  httplib::Response r = Get("/readyz");
  EXPECT_EQ(r.status, 503);
  EXPECT_EQ(r.body, "no space left\n");
  EXPECT_EQ(Get("/healthz").status, 200);
}

TEST_F(HttpServerTest, OtherMethods_Are405) {
  EXPECT_EQ(client_->Post("/api/v1/jobs", "x", "text/plain")->status, 405);
  EXPECT_EQ(client_->Delete("/api/v1/jobs/j14")->status, 405);
  EXPECT_EQ(client_->Head("/")->status, 200);
}

TEST_F(HttpServerTest, ForeignHost_Is421) {
  EXPECT_EQ(Get("/", {{"Host", "evil.example"}}).status, 421);
  EXPECT_EQ(Get("/", {{"Host", "localhost:1234"}}).status, 200);
}

TEST_F(HttpServerTest, OffLoopback_NeedsTheTokenButForProbes) {
  Start({"0.0.0.0:0", {}, "secret"});
  EXPECT_EQ(Get("/healthz").status, 200);
  EXPECT_EQ(Get("/readyz").status, 200);
  for (const char* path : {"/", "/metrics", "/api/v1/jobs", "/style.css"}) {
    httplib::Response r = Get(path);
    EXPECT_EQ(r.status, 401) << path;
    EXPECT_THAT(r.get_header_value("WWW-Authenticate"), HasSubstr("Basic"));
    EXPECT_EQ(Get(path, {{"Authorization", "Bearer secret"}}).status, 200) << path;
  }
}

TEST_F(HttpServerTest, PortInUse_SaysSo) {
  auto second = StartHttpServer({server_->address(), {}, ""}, &api_);
  EXPECT_EQ(second.status().message(), server_->address() +
                                           " is in use by another process: stop it, or choose "
                                           "another --http-listen");
  EXPECT_TRUE(absl::IsInvalidArgument(StartHttpServer({"nonsense", {}, ""}, &api_).status()));
}

}  // namespace
}  // namespace coxswain::coordinator::http
