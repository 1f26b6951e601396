// cox-worker: the daemon on each machine that runs ranks.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/config/daemon_config.h"
#include "common/log/log.h"
#include "common/rpc/token.h"
#include "worker/runtime/data_folder.h"
#include "worker/runtime/worker_loop.h"

namespace {

using coxswain::config::WorkerConfig;
namespace log = coxswain::log;

constexpr int kExitConfig = 78;  // EX_CONFIG: starting again will not help

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

absl::StatusOr<std::string> FindToken(const WorkerConfig& config) {
  if (!config.token_file.empty()) return coxswain::rpc::ReadToken(config.token_file);
  const char* given = getenv("COX_TOKEN");
  if (given != nullptr && *given != '\0') {
    const absl::Status text = coxswain::rpc::CheckTokenText(given, "COX_TOKEN");
    return text.ok() ? absl::StatusOr<std::string>(given) : text;
  }
  std::string local = absl::StrCat(coxswain::config::DefaultDataDir("coordinator"), "/token");
  absl::StatusOr<std::string> token = coxswain::rpc::ReadToken(local);
  if (!absl::IsNotFound(token.status())) return token;
  return absl::NotFoundError(
      absl::StrCat("no token: give --token-file FILE (the file `token` of the coordinator's data "
                   "directory) or set COX_TOKEN; there is none in ",
                   local));
}

int Fail(const absl::Status& status) {
  log::Error(std::string(status.message()));
  return kExitConfig;
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
  coxswain::worker::WorkerOptions options;
  options.signal_fd = TakeSignals();
  options.lifeline_fd = lifeline_fd;
  absl::StatusOr<std::string> token = FindToken(config);
  if (!token.ok()) return Fail(token.status());
  log::HideSecret(*token);
  options.token = *token;
  auto folder = coxswain::worker::DataFolder::Open(config.data_dir);
  if (!folder.ok()) return Fail(folder.status());
  std::filesystem::path programs = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  options.shim_program = programs / "cox-shim";
  options.trainer_program = programs / "cox-trainer";
  options.config = std::move(config);
  coxswain::worker::WorkerLoop loop(std::move(options), **folder);
  if (absl::Status s = loop.Start(); !s.ok()) return Fail(s);
  return loop.Run();
}
