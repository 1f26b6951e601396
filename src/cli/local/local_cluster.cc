#include "cli/local/local_cluster.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

namespace coxswain::cli::local {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

// Asks `done` often until it is true or `limit` has passed.
template <class Condition>
bool WaitFor(Condition done, steady_clock::duration limit) {
  const auto end = steady_clock::now() + limit;
  while (!done()) {
    if (steady_clock::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(2));
  }
  return true;
}

std::string PidIn(int fd) {
  char text[32] = {};
  const ssize_t size = pread(fd, text, sizeof text - 1, 0);
  return size > 0 ? std::string(text, static_cast<size_t>(size)) : "";
}

bool IsAlive(const std::string& pid) {
  const int number = std::atoi(pid.c_str());
  return number > 0 && (kill(number, 0) == 0 || errno == EPERM);
}

absl::Status DidNotStart(Child& child, const std::string& program) {
  const std::string how = child.Ended().value_or("still starting after 30 s");
  const std::string last = child.LastLine();
  return absl::InternalError(program + " did not start (" + how + ")" +
                             (last.empty() ? "" : ": " + last) + "\nits log: " + child.log_file());
}

}  // namespace

absl::StatusOr<std::unique_ptr<LocalCluster>> LocalCluster::Start(const LocalOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(options.data_dir, error);
  if (error) return absl::InternalError("cannot make " + options.data_dir + ": " + error.message());
  chmod(options.data_dir.c_str(), 0700);
  std::unique_ptr<LocalCluster> cluster(new LocalCluster);
  if (absl::Status status = cluster->Lock(options.data_dir); !status.ok()) return status;
  int lifeline[2];
  if (pipe2(lifeline, O_CLOEXEC) != 0)
    return absl::InternalError(std::string("pipe: ") + strerror(errno));
  cluster->lifeline_read_ = lifeline[0];
  cluster->lifeline_write_ = lifeline[1];
  if (absl::Status status = cluster->StartCoordinator(options); !status.ok()) return status;
  if (absl::Status status = cluster->StartWorker(options); !status.ok()) return status;
  return cluster;
}

LocalCluster::~LocalCluster() {
  EndNow();
  if (lifeline_read_ >= 0) close(lifeline_read_);
  if (lock_fd_ >= 0) close(lock_fd_);
}

// The children inherit the lock, so it is free only when the last one of an earlier run has ended.
absl::Status LocalCluster::Lock(const std::string& data_dir) {
  const std::string path = data_dir + "/run.lock";
  lock_fd_ = open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (lock_fd_ < 0) return absl::InternalError("cannot write " + path + ": " + strerror(errno));
  std::string owner;
  const auto locked_or_owned = [&] {
    if (flock(lock_fd_, LOCK_EX | LOCK_NB) == 0) return true;
    owner = PidIn(lock_fd_);
    return IsAlive(owner);
  };
  const bool settled = WaitFor(locked_or_owned, seconds(20));
  if (!settled || IsAlive(owner)) {
    return absl::AlreadyExistsError(data_dir + " is in use by " +
                                    (IsAlive(owner) ? "another cox run (process " + owner + ")"
                                                    : "processes of an earlier cox run") +
                                    ": wait for it to end, or use another --data-dir");
  }
  const std::string pid = std::to_string(getpid());
  if (ftruncate(lock_fd_, 0) != 0 || pwrite(lock_fd_, pid.data(), pid.size(), 0) < 0) {
    return absl::InternalError("cannot write " + path + ": " + strerror(errno));
  }
  return absl::OkStatus();
}

absl::Status LocalCluster::StartCoordinator(const LocalOptions& options) {
  const std::string dir = options.data_dir + "/coordinator";
  if (const auto running = ReadEndpoint(dir)) {
    return absl::AlreadyExistsError(
        "a coordinator (process " + std::to_string(running->pid) + ") is running in " + dir +
        ": submit to it with `cox submit --server " + running->api + " --token-file " +
        running->token_file + " FILE`, or use another --data-dir");
  }
  unlink((dir + "/endpoint").c_str());
  auto child = Child::Start(
      {.command = {options.bin_dir + "/cox-coordinator", "--data-dir", dir, "--listen",
                   "127.0.0.1:0", "--worker-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0",
                   "--default-store", "file://" + options.data_dir + "/store", "--lifeline-fd",
                   std::to_string(lifeline_read_)},
       .log_file = options.data_dir + "/coordinator.log",
       .inherited = {lifeline_read_, lock_fd_}});
  if (!child.ok()) return child.status();
  coordinator_.emplace(*std::move(child));
  std::optional<Endpoint> endpoint;
  WaitFor(
      [&] {
        endpoint = ReadEndpoint(dir);
        return (endpoint && endpoint->pid == coordinator_->pid()) || coordinator_->Ended();
      },
      seconds(30));
  if (coordinator_->Ended() || !endpoint) return DidNotStart(*coordinator_, "cox-coordinator");
  endpoint_ = *endpoint;
  auto token = ReadTokenFile(endpoint_.token_file);
  if (!token.ok()) return token.status();
  token_ = *std::move(token);
  return absl::OkStatus();
}

absl::Status LocalCluster::StartWorker(const LocalOptions& options) {
  auto child = Child::Start(
      {.command = {options.bin_dir + "/cox-worker", "--data-dir", options.data_dir + "/worker",
                   "--coordinator", endpoint_.worker, "--token-file", endpoint_.token_file,
                   "--name", "local", "--cpu-slots", std::to_string(options.cpu_slots),
                   "--lifeline-fd", std::to_string(lifeline_read_)},
       .log_file = options.data_dir + "/worker.log",
       .inherited = {lifeline_read_, lock_fd_}});
  if (!child.ok()) return child.status();
  worker_.emplace(*std::move(child));
  return absl::OkStatus();
}

std::optional<std::string> LocalCluster::Trouble() {
  std::lock_guard lock(mutex_);
  if (stopping_) return std::nullopt;
  for (auto* child : {&coordinator_, &worker_}) {
    if (!*child) continue;
    const std::optional<std::string> how = (*child)->Ended();
    if (!how) continue;
    const std::string program = child == &coordinator_ ? "cox-coordinator" : "cox-worker";
    return program + " has ended (" + *how + "): " + (*child)->LastLine() +
           "\nits log: " + (*child)->log_file();
  }
  return std::nullopt;
}

void LocalCluster::Stop(milliseconds patience) {
  EndNow();
  const auto all_ended = [&] {
    std::lock_guard lock(mutex_);
    return (!worker_ || worker_->Ended()) && (!coordinator_ || coordinator_->Ended());
  };
  if (WaitFor(all_ended, patience)) return;
  std::lock_guard lock(mutex_);
  for (auto* child : {&worker_, &coordinator_}) {
    if (*child) (*child)->Signal(SIGKILL);
  }
}

void LocalCluster::EndNow() {
  std::lock_guard lock(mutex_);
  stopping_ = true;
  if (lifeline_write_ >= 0) close(lifeline_write_);
  lifeline_write_ = -1;
}

}  // namespace coxswain::cli::local
