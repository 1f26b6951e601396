#include "coordinator/http/http_server.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <httplib.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "common/base/clock.h"
#include "common/log/log.h"
#include "coordinator/http/access.h"
#include "coordinator/http/json_views.h"
#include "coordinator/http/pages.h"
#include "coordinator/http/prometheus_text.h"

namespace coxswain::coordinator::http {
namespace {

constexpr int kThreads = 6;
constexpr uint32_t kMostJobs = 1000;
constexpr uint32_t kMostEvents = 1000;
constexpr uint32_t kMostJobsWithMetrics = 1000;
constexpr char kPolicy[] =
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

int HttpStatus(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kInvalidArgument:
      return 400;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
      return 503;
    default:
      return 500;
  }
}

// Any address of the machine, SO_REUSEADDR but not SO_REUSEPORT: two servers on one port are a
// mistake.
void SetSocketOptions(socket_t socket) {
  int yes = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
}

absl::StatusOr<store::JobFilter> FilterOf(const httplib::Request& request) {
  store::JobFilter filter;
  for (const auto& [key, value] : request.params) {
    if (key == "state") {
      for (const std::string& name : std::vector<std::string>(absl::StrSplit(value, ','))) {
        absl::StatusOr<core::JobState> state = StateOf(name);
        if (!state.ok()) return state.status();
        filter.states.push_back(*state);
      }
    } else if (key == "name") {
      filter.name_prefix = value;
    } else if (key == "label") {
      size_t equals = value.find('=');
      if (equals == std::string::npos) {
        return absl::InvalidArgumentError("label: expected KEY=VALUE, found '" + value + "'");
      }
      filter.labels[value.substr(0, equals)] = value.substr(equals + 1);
    } else if (key == "queue") {
      filter.queues.push_back(value);
    } else if (key == "submitted_by") {
      filter.submitted_by = value;
    } else if (key == "limit") {
      if (!absl::SimpleAtoi(value, &filter.limit) || filter.limit < 1 || filter.limit > kMostJobs) {
        return absl::InvalidArgumentError(
            absl::StrCat("limit: expected 1 to ", kMostJobs, ", found '", value, "'"));
      }
    } else if (key == "page_token") {
      std::optional<core::JobId> before = base::ParseJobId(value);
      if (!before) return absl::InvalidArgumentError("page_token: not one that this API gave");
      filter.before = *before;
    } else {
      return absl::InvalidArgumentError("unknown parameter '" + key +
                                        "' (expected state, name, label, queue, "
                                        "submitted_by, limit or page_token)");
    }
  }
  return filter;
}

class Server : public HttpServer {
 public:
  Server(const HttpSettings& settings, std::string host, runtime::Api* api)
      : access_(host, settings.hosts, settings.token), host_(std::move(host)), api_(api) {}
  ~Server() override { Stop(); }

  absl::Status Start(const std::string& address, int port);
  const std::string& address() const override { return address_; }
  void Stop() override {
    if (!thread_.joinable()) return;
    server_.stop();
    thread_.join();
  }

 private:
  using Request = httplib::Request;
  using Response = httplib::Response;

  void SetUp();
  httplib::Server::HandlerResponse Check(const Request& request, Response& response) const;
  void AddApi();
  void AddPages();
  void ServeJobs(const Request& request, Response& response);
  void ServeJob(const std::string& id, Response& response);
  void ServeReady(const Request& request, Response& response);
  void ServeMetrics(Response& response);
  static void Fail(Response& response, const absl::Status& status) {
    response.status = HttpStatus(status);
    response.set_content(ErrorJson(std::string(status.message())), "application/json");
  }
  // A page, or what went wrong as one.
  static void Show(Response& response, const absl::StatusOr<std::string>& page) {
    if (!page.ok()) response.status = HttpStatus(page.status());
    response.set_content(page.ok() ? *page : ErrorPage(std::string(page.status().message())),
                         "text/html; charset=utf-8");
  }

  Access access_;
  std::string host_, address_;
  runtime::Api* api_;
  httplib::Server server_;
  std::thread thread_;
};

void Server::SetUp() {
  server_.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  server_.set_socket_options(SetSocketOptions);
  server_.set_tcp_nodelay(true);
  server_.set_payload_max_length(4096);
  server_.set_read_timeout(5);
  server_.set_write_timeout(10);
  server_.set_keep_alive_timeout(3);
  server_.set_default_headers({{"Content-Security-Policy", kPolicy},
                               {"X-Content-Type-Options", "nosniff"},
                               {"Referrer-Policy", "no-referrer"},
                               {"Cache-Control", "no-store"}});
  server_.set_pre_routing_handler(
      [this](const Request& request, Response& response) { return Check(request, response); });
  server_.set_error_handler([](const Request& request, Response& response) {
    if (response.body.empty()) {
      response.set_content(ErrorJson(response.status == 404 ? "there is no " + request.path
                                                            : "the request is not understood"),
                           "application/json");
    }
  });
  server_.set_exception_handler([](const Request& request, Response& response, std::exception_ptr) {
    log::Error("http: " + request.path + " ended with an exception");
    Fail(response, absl::InternalError("internal error: see the coordinator's log"));
  });
  AddApi();
  AddPages();
}

httplib::Server::HandlerResponse Server::Check(const Request& request, Response& response) const {
  auto refuse = [&response](int status, const std::string& text) {
    response.status = status;
    response.set_content(ErrorJson(text), "application/json");
    return httplib::Server::HandlerResponse::Handled;
  };
  if (request.method != "GET" && request.method != "HEAD") {
    response.set_header("Allow", "GET, HEAD");
    return refuse(405, "this side is read-only: GET or HEAD; use cox or the gRPC API to change");
  }
  if (!access_.HostIsOurs(request.get_header_value("Host"))) {
    return refuse(421, "this Host is not one of ours: add it to http_hosts in coordinator.yaml");
  }
  bool probe = request.path == "/healthz" || request.path == "/readyz";
  if (!probe && !access_.Admits(request.get_header_value("Authorization"))) {
    response.set_header("WWW-Authenticate", "Basic realm=\"coxswain\", charset=\"UTF-8\"");
    return refuse(401,
                  "the cluster's token is needed: as the password (any user name), or as "
                  "'Authorization: Bearer TOKEN'");
  }
  return httplib::Server::HandlerResponse::Unhandled;
}

void Server::AddApi() {
  server_.Get("/healthz", [](const Request&, Response& response) {
    response.set_content("ok\n", "text/plain");
  });
  server_.Get("/readyz", [this](const Request& q, Response& r) { ServeReady(q, r); });
  server_.Get("/metrics", [this](const Request&, Response& r) { ServeMetrics(r); });
  server_.Get("/api/v1/jobs", [this](const Request& q, Response& r) { ServeJobs(q, r); });
  server_.Get("/api/v1/jobs/([^/]+)",
              [this](const Request& q, Response& r) { ServeJob(q.matches[1], r); });
  server_.Get("/api/v1/nodes", [this](const Request&, Response& response) {
    auto nodes = api_->ListNodes();
    if (!nodes.ok()) return Fail(response, nodes.status());
    response.set_content(NodesJson(*nodes), "application/json");
  });
  server_.Get("/api/v1/queues", [this](const Request&, Response& response) {
    response.set_content(QueuesJson(api_->ListQueues()), "application/json");
  });
}

void Server::AddPages() {
  server_.Get("/", [this](const Request&, Response& r) { Show(r, OverviewPage(*api_)); });
  server_.Get("/queues", [this](const Request&, Response& r) { Show(r, QueuesPage(*api_)); });
  server_.Get("/nodes", [this](const Request& q, Response& r) {
    NodesQuery query{
        .page = 1, .name = q.get_param_value("name"), .state = q.get_param_value("state")};
    const std::string page = q.get_param_value("page");
    if (page.find_first_not_of("0123456789") != std::string::npos) {
      return Show(r, absl::InvalidArgumentError("page: found '" + page + "', expected 1 or more"));
    }
    if (!page.empty()) (void)absl::SimpleAtoi(page, &query.page);  // too large: the last one
    Show(r, NodesPage(*api_, query));
  });
  server_.Get("/jobs/([^/]+)",
              [this](const Request& q, Response& r) { Show(r, JobPage(*api_, q.matches[1])); });
  server_.Get("/style.css", [](const Request&, Response& response) {
    response.set_content(kStyle, std::strlen(kStyle), "text/css");
  });
  server_.Get("/refresh.js", [](const Request&, Response& response) {
    response.set_content(kRefreshScript, std::strlen(kRefreshScript), "text/javascript");
  });
}

void Server::ServeJobs(const Request& request, Response& response) {
  absl::StatusOr<store::JobFilter> filter = FilterOf(request);
  if (!filter.ok()) return Fail(response, filter.status());
  auto jobs = api_->ListJobs(*filter);
  if (!jobs.ok()) return Fail(response, jobs.status());
  bool more = jobs->size() == filter->limit;
  std::string next = more ? base::ToString(jobs->back().record.job.id) : "";
  response.set_content(JobsJson(*jobs, next, runtime::NamesFrom(api_)), "application/json");
}

void Server::ServeJob(const std::string& id, Response& response) {
  auto job = api_->ResolveJob(id);
  if (!job.ok()) return Fail(response, job.status());
  auto view = api_->GetJob(*job);
  if (!view.ok()) return Fail(response, view.status());
  auto checkpoints = api_->ListCheckpoints(*job, true);
  if (!checkpoints.ok()) return Fail(response, checkpoints.status());
  auto events = api_->ListNewestEvents(*job, kMostEvents);
  if (!events.ok()) return Fail(response, events.status());
  response.set_content(JobJson(*view, *checkpoints, *events, runtime::NamesFrom(api_)),
                       "application/json");
}

void Server::ServeReady(const Request& request, Response& response) {
  runtime::ServerStatus status = api_->Status();
  if (status.ready && status.writable) return response.set_content("ok\n", "text/plain");
  response.status = 503;
  bool may_know = access_.Admits(request.get_header_value("Authorization"));
  response.set_content(may_know ? status.why_not + "\n" : "not ready\n", "text/plain");
}

void Server::ServeMetrics(Response& response) {
  auto jobs = api_->CountJobs();
  if (!jobs.ok()) return Fail(response, jobs.status());
  auto nodes = api_->ListNodes();
  if (!nodes.ok()) return Fail(response, nodes.status());
  store::JobFilter running;
  running.states = {core::JobState::kRunning, core::JobState::kRecovering};
  running.limit = kMostJobsWithMetrics;
  auto active = api_->ListJobs(running);
  if (!active.ok()) return Fail(response, active.status());
  store::JobFilter pending;
  pending.states = {core::JobState::kPending};
  pending.limit = kMostJobsWithMetrics;
  auto waiting = api_->ListJobs(pending);
  if (!waiting.ok()) return Fail(response, waiting.status());
  runtime::QueuesView queues = api_->ListQueues(*nodes);
  response.set_content(PrometheusText({.now = base::WallNow(),
                                       .status = api_->Status(),
                                       .jobs = *std::move(jobs),
                                       .nodes = *std::move(nodes),
                                       .running = *std::move(active),
                                       .waiting = *std::move(waiting),
                                       .queues = std::move(queues)}),
                       "text/plain; version=0.0.4; charset=utf-8");
}

absl::Status Server::Start(const std::string& address, int port) {
  SetUp();
  errno = 0;
  bool bound = true;
  if (port == 0) {
    port = server_.bind_to_any_port(host_);
    bound = port > 0;
  } else {
    bound = server_.bind_to_port(host_, port);
  }
  if (!bound) {
    int error = errno;
    if (error == EADDRINUSE) {
      return absl::AlreadyExistsError(
          absl::StrCat(address,
                       " is in use by another process: stop it, or choose another "
                       "--http-listen"));
    }
    std::string text =
        absl::StrCat("cannot listen on ", address,
                     " (http_listen): ", error == 0 ? "no such address" : strerror(error));
    return error == EACCES ? absl::PermissionDeniedError(text) : absl::InvalidArgumentError(text);
  }
  bool v6 = host_.find(':') != std::string::npos;
  address_ = v6 ? absl::StrCat("[", host_, "]:", port) : absl::StrCat(host_, ":", port);
  thread_ = std::thread([this] { server_.listen_after_bind(); });
  while (!server_.is_running()) std::this_thread::yield();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> StartHttpServer(const HttpSettings& settings,
                                                            runtime::Api* api) {
  std::optional<HostPort> where = SplitAddress(settings.address);
  if (!where) {
    return absl::InvalidArgumentError(
        absl::StrCat("http_listen: expected HOST:PORT, found '", settings.address, "'"));
  }
  auto server = std::make_unique<Server>(settings, where->host, api);
  absl::Status status = server->Start(settings.address, where->port);
  if (!status.ok()) return status;
  return server;
}

}  // namespace coxswain::coordinator::http
