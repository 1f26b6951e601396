// cox-worker: the daemon on each machine that runs ranks.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>

#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/exit_codes.h"
#include "common/config/daemon_config.h"
#include "common/config/quantities.h"
#include "common/log/log.h"
#include "common/rpc/token.h"
#include "worker/runtime/data_address.h"
#include "worker/runtime/data_folder.h"
#include "worker/runtime/token_wait.h"
#include "worker/runtime/worker_loop.h"

namespace {

using coxswain::config::WorkerConfig;
namespace log = coxswain::log;

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

std::string TokenFile(const WorkerConfig& config) {
  if (!config.token_file.empty()) return config.token_file;
  return absl::StrCat(coxswain::config::DefaultDataDir("coordinator"), "/token");
}

// NotFound: there is no such file, and none will appear by itself.
absl::StatusOr<std::string> FindToken(const WorkerConfig& config) {
  const char* given = getenv("COX_TOKEN");
  if (config.token_file.empty() && given != nullptr && *given != '\0') {
    const absl::Status text = coxswain::rpc::CheckTokenText(given, "COX_TOKEN");
    return text.ok() ? absl::StatusOr<std::string>(given) : text;
  }
  absl::StatusOr<std::string> token = coxswain::rpc::ReadToken(TokenFile(config));
  if (!absl::IsNotFound(token.status()) || !config.token_file.empty()) return token;
  return absl::NotFoundError(
      absl::StrCat("no token: give --token-file FILE (the file `token` of the coordinator's data "
                   "directory) or set COX_TOKEN; there is none in ",
                   TokenFile(config)));
}

// A coordinator on this machine may be starting just now: it makes its token first of all.
bool MayStillCome(const absl::Status& token, const WorkerConfig& config) {
  auto coordinator = coxswain::config::ParseHostPort(config.coordinator);
  return absl::IsNotFound(token) && coordinator && coxswain::config::IsLoopback(coordinator->host);
}

// The setting becomes the number that ranks listen on; otherwise how this program ends. It waits
// for nothing: whatever is wrong is said before the data directory is touched.
std::optional<coxswain::base::DaemonExitCode> SettleAddress(WorkerConfig* config) {
  if (config->advertise_address.empty()) return std::nullopt;
  auto address = coxswain::worker::OwnAddress(config->advertise_address);
  if (!address.ok()) {
    coxswain::config::Mistake mistake = config->advertise_place;
    mistake.text += coxswain::config::Escaped(std::string(address.status().message()));
    fputs(coxswain::config::ToString({mistake}).c_str(), stderr);
    return absl::IsUnavailable(address.status()) ? coxswain::base::kDaemonBusy
                                                 : coxswain::base::kDaemonConfig;
  }
  if (*address != config->advertise_address) {
    log::Info(absl::StrCat("advertise_address ", config->advertise_address, " is ", *address));
  }
  config->advertise_address = *address;
  return std::nullopt;
}

int Fail(const absl::Status& status) {
  log::Error(std::string(status.message()));
  return coxswain::base::DaemonExitOf(static_cast<int>(status.code()));
}

}  // namespace

int main(int argc, char** argv) {
  auto start = coxswain::config::ReadWorkerStart(argc, argv);
  if (auto* end = std::get_if<coxswain::config::EndNow>(&start)) {
    fputs(end->text.c_str(), end->code == 0 ? stdout : stderr);
    return end->code;
  }
  auto& [config, lifeline_fd] = std::get<coxswain::config::Start<WorkerConfig>>(start);
  log::Init("cox-worker", log::ParseLevel(config.log_level).value_or(log::Level::kInfo));
  if (auto end = SettleAddress(&config)) return *end;
  coxswain::worker::WorkerOptions options;
  options.signal_fd = TakeSignals();
  options.lifeline_fd = lifeline_fd;
  absl::StatusOr<std::string> token = FindToken(config);
  bool wait = MayStillCome(token.status(), config);
  if (!token.ok() && !wait) return Fail(token.status());
  auto folder = coxswain::worker::DataFolder::Open(config.data_dir);
  if (!folder.ok()) return Fail(folder.status());
  if (wait) {
    token = coxswain::worker::WaitForToken(TokenFile(config), options.signal_fd, lifeline_fd);
  }
  if (absl::IsCancelled(token.status())) return 0;
  if (!token.ok()) return Fail(token.status());
  log::HideSecret(*token);
  options.token = *token;
  std::filesystem::path programs = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  options.shim_program = programs / "cox-shim";
  options.trainer_program = programs / "cox-trainer";
  options.config = std::move(config);
  coxswain::worker::WorkerLoop loop(std::move(options), **folder);
  if (absl::Status s = loop.Start(); !s.ok()) return Fail(s);
  return loop.Run();
}
