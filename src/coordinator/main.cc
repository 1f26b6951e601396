// cox-coordinator: the deciding daemon. Starts the store, the shell, the gRPC servers and the
// pages, in that order; stops them in the reverse one.
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/exit_codes.h"
#include "common/config/daemon_config.h"
#include "common/log/log.h"
#include "common/rpc/server.h"
#include "common/rpc/token.h"
#include "coordinator/http/access.h"
#include "coordinator/http/http_server.h"
#include "coordinator/rpc/servers.h"
#include "coordinator/runtime/runtime.h"
#include "coordinator/runtime/service_files.h"

namespace {

namespace coordinator = coxswain::coordinator;
namespace log = coxswain::log;
using coordinator::runtime::Runtime;
using coxswain::config::CoordinatorConfig;

constexpr coxswain::base::Duration kStopGrace = coxswain::base::seconds(2);

// What runs; destroyed from the last to the first.
struct Daemon {
  std::string token;
  std::unique_ptr<Runtime> runtime;
  std::unique_ptr<coordinator::rpc::Servers> servers;
  std::unique_ptr<coordinator::http::HttpServer> pages;
};

// Before any thread is made, so that all inherit it. SIGPIPE is an error code of write() here.
int TakeSignals() {
  signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

coordinator::core::Bound BoundOf(const coxswain::config::SlotBound& bound) {
  return {bound.cpus, bound.gpus};
}

coordinator::core::SchedulingSettings SchedulingOf(
    const coxswain::config::SchedulingConfig& config) {
  coordinator::core::SchedulingSettings settings;
  settings.policy = config.policy;
  for (const auto& [name, queue] : config.queues) {
    settings.queues.push_back({name, queue.parent, BoundOf(queue.quota), BoundOf(queue.limit),
                               BoundOf(queue.user_limit), queue.user_jobs, queue.weight});
  }
  settings.default_queue = config.default_queue;
  settings.backfill = config.backfill;
  settings.half_life = config.half_life;
  settings.slots_per_gpu = config.slots_per_gpu;
  settings.las_threshold = config.las_threshold;
  settings.resize_after = config.resize_after;
  settings.replan = config.replan;
  settings.cordon_after = config.cordon_after;
  return settings;
}

coordinator::runtime::Options OptionsOf(const CoordinatorConfig& config) {
  coordinator::runtime::Options options;
  options.settings.deadlines.lease = config.lease;
  options.settings.default_store = config.default_store;
  options.settings.max_live_jobs = static_cast<uint64_t>(config.max_active_jobs);
  options.settings.rack_label = config.scheduling.rack_label;
  options.settings.scheduling = SchedulingOf(config.scheduling);
  options.retention.finished_jobs_age = config.finished_jobs.age;
  options.retention.finished_jobs_count = static_cast<uint64_t>(config.finished_jobs.most);
  options.retention.events_age = config.events.age;
  options.retention.events_count = static_cast<uint64_t>(config.events.most);
  options.retention.idempotency_window = config.idempotency_window;
  options.metric_retention.age = config.metrics.age;
  options.metric_retention.bytes = static_cast<uint64_t>(config.metrics.size);
  options.data_dir = config.data_dir;
  options.recording_bytes = static_cast<uint64_t>(config.recording_size);
  return options;
}

absl::Status StartRuntime(const CoordinatorConfig& config, Daemon& daemon) {
  coordinator::store::SqliteOptions sqlite;
  sqlite.path = config.data_dir + "/state.db";
  auto state = coordinator::store::OpenSqliteStore(sqlite);
  if (!state.ok()) return state.status();
  // Only the owner of the directory looks at the ports: two coordinators on one directory are told
  // so.
  for (const auto& [setting, address] :
       {std::pair("listen", &config.listen), std::pair("worker_listen", &config.worker_listen)}) {
    absl::Status free = coxswain::rpc::CanListen(*address);
    if (!free.ok()) return absl::Status(free.code(), absl::StrCat(setting, ": ", free.message()));
  }
  auto metrics = coordinator::store::OpenSqliteMetricStore(config.data_dir + "/metrics.db");
  if (!metrics.ok()) return metrics.status();
  absl::StatusOr<std::string> token = coxswain::rpc::MakeOrReadToken(config.token_file);
  if (!token.ok()) return token.status();
  daemon.token = *std::move(token);
  log::HideSecret(daemon.token);
  auto runtime = Runtime::Start(OptionsOf(config), *std::move(state), *std::move(metrics));
  if (!runtime.ok()) return runtime.status();
  daemon.runtime = *std::move(runtime);
  return absl::OkStatus();
}

absl::Status StartEdges(const CoordinatorConfig& config, Daemon& daemon) {
  coordinator::rpc::ServerSettings settings;
  settings.api_address = config.listen;
  settings.worker_address = config.worker_listen;
  settings.token = daemon.token;
  settings.deadlines.lease = config.lease;
  // The pages first: they need nobody, and a worker that is let in should find all there.
  auto pages = coordinator::http::StartHttpServer(
      {config.http_listen, config.http_hosts, daemon.token}, daemon.runtime.get());
  if (!pages.ok()) return pages.status();
  daemon.pages = *std::move(pages);
  auto servers =
      coordinator::rpc::StartServers(settings, daemon.runtime.get(), daemon.runtime.get());
  if (!servers.ok()) return servers.status();
  daemon.servers = *std::move(servers);
  daemon.runtime->SetAddresses(daemon.servers->api_address(), daemon.servers->worker_address(),
                               daemon.pages->address());
  return absl::OkStatus();
}

// Until TLS exists, whoever shares the network can read along: said at every start, and on the
// page.
void WarnOfPlaintext(Daemon& daemon) {
  for (const std::string& address :
       {daemon.servers->api_address(), daemon.servers->worker_address(), daemon.pages->address()}) {
    auto where = coordinator::http::SplitAddress(address);
    if (!where || coordinator::http::IsLoopback(where->host)) continue;
    std::string text = absl::StrCat("plaintext on ", address,
                                    ": whoever is on that network can read and change what passes; "
                                    "use one that you trust");
    log::Warn(text);
    daemon.runtime->SetWarning("plaintext " + address, text);
  }
}

absl::Status StartAll(const CoordinatorConfig& config, Daemon& daemon) {
  absl::Status status = coordinator::runtime::MakeDataDir(config.data_dir);
  if (status.ok()) status = coordinator::runtime::CheckStateNotEmptied(config.data_dir);
  if (status.ok()) status = StartRuntime(config, daemon);
  if (status.ok()) status = StartEdges(config, daemon);
  if (!status.ok()) return status;
  WarnOfPlaintext(daemon);
  coordinator::runtime::ServerStatus now = daemon.runtime->Status();
  status = coordinator::runtime::WriteEndpoint(
      config.data_dir, {now.api_address, now.worker_address, now.http_address, config.token_file,
                        now.cluster.value});
  if (!status.ok()) return status;
  log::Info(absl::StrCat("cluster ", now.cluster.value, ", term ", now.term.value, ": API on ",
                         now.api_address, ", workers on ", now.worker_address,
                         ", status page on http://", now.http_address));
  coordinator::runtime::NotifySystemd("READY=1");
  return status;
}

// Returns why it ended: a signal, or the end of whoever held the lifeline.
std::string WaitForTheEnd(int signal_fd, int lifeline_fd) {
  pollfd waits[] = {{signal_fd, POLLIN, 0}, {lifeline_fd, POLLIN, 0}};  // -1 is passed over
  while (true) {
    if (poll(waits, 2, -1) < 0) continue;
    if (waits[0].revents != 0) {
      signalfd_siginfo info{};
      if (read(signal_fd, &info, sizeof(info)) != sizeof(info)) continue;
      return absl::StrCat("signal ", info.ssi_signo);
    }
    char byte = 0;
    if (waits[1].revents != 0 && read(lifeline_fd, &byte, 1) <= 0) return "its starter has ended";
  }
}

void StopAll(const CoordinatorConfig& config, Daemon& daemon) {
  coordinator::runtime::NotifySystemd("STOPPING=1");
  coordinator::runtime::RemoveEndpoint(config.data_dir);
  if (daemon.servers != nullptr) daemon.servers->Stop(kStopGrace);
  if (daemon.pages != nullptr) daemon.pages->Stop();
  if (daemon.runtime != nullptr) daemon.runtime->Stop();
}

}  // namespace

int main(int argc, char** argv) {
  auto start = coxswain::config::ReadCoordinatorStart(argc, argv);
  if (auto* end = std::get_if<coxswain::config::EndNow>(&start)) {
    fputs(end->text.c_str(), end->code == 0 ? stdout : stderr);
    return end->code;
  }
  const auto& [config, lifeline_fd] = std::get<coxswain::config::Start<CoordinatorConfig>>(start);
  mallopt(M_ARENA_MAX, 2);  // many threads, little memory each
  umask(077);               // what is written is for our user alone
  log::Init("cox-coordinator", log::ParseLevel(config.log_level).value_or(log::Level::kInfo));
  int signal_fd = TakeSignals();
  Daemon daemon;
  absl::Status status = StartAll(config, daemon);
  if (!status.ok()) {
    if (daemon.runtime != nullptr) StopAll(config, daemon);
    log::Error(std::string(status.message()));
    return coxswain::base::DaemonExitOf(static_cast<int>(status.code()));
  }
  log::Info("ending: " + WaitForTheEnd(signal_fd, lifeline_fd));
  StopAll(config, daemon);
  return 0;
}
