#include "worker/process/process_table.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/shim_protocol.h"
#include "worker/process/exit_record.h"
#include "worker/process/files.h"
#include "worker/process/processes.h"
#include "worker/process/rank_folder.h"

namespace coxswain::worker::process {
namespace {

constexpr base::Duration kConnectRetry = base::milliseconds(20);
constexpr int kConnectTries = 250;  // 5 s

}  // namespace

struct ProcessTable::Shim {
  std::string folder;
  std::string record_boot_id;
  ProcessEvents events;
  int fd = -1;
  std::string pending;  // an incomplete line
  std::string stop;     // asked for before there was a connection
  bool ended = false;
};

ProcessTable::ProcessTable(FdWatch& watch, std::string boot_id)
    : watch_(watch), boot_id_(std::move(boot_id)) {}

ProcessTable::~ProcessTable() {
  for (auto& [folder, shim] : shims_) {
    shim->ended = true;  // timers that still hold it do nothing
    if (shim->fd < 0) continue;
    watch_.Forget(shim->fd);
    close(shim->fd);
  }
}

absl::Status ProcessTable::Launch(const ShimProgram& program, ProcessEvents events) {
  absl::StatusOr<StartedShim> started = StartShim(program);
  if (!started.ok()) return started.status();
  auto shim = std::make_shared<Shim>();
  shim->folder = program.folder;
  shim->record_boot_id = boot_id_;
  shim->events = std::move(events);
  shims_[program.folder] = shim;
  Open(shim, started->control_fd);
  Reap(started->pid);
  return absl::OkStatus();
}

void ProcessTable::Adopt(const std::string& folder, const std::string& record_boot_id,
                         ProcessEvents events) {
  auto shim = std::make_shared<Shim>();
  shim->folder = folder;
  shim->record_boot_id = record_boot_id;
  shim->events = std::move(events);
  shims_[folder] = shim;
  watch_.After(base::Duration(0), [this, shim] { TryToConnect(shim, kConnectTries); });
}

// A shim that was started just before the last worker died may not listen yet.
void ProcessTable::TryToConnect(const std::shared_ptr<Shim>& shim, int tries) {
  if (shim->ended) return;
  absl::StatusOr<int> fd = ConnectToShim(shim->folder);
  if (fd.ok()) {
    Open(shim, *fd);
    Send(*shim, "subscribe");
    if (!shim->stop.empty()) Send(*shim, shim->stop);
    return;
  }
  if (!ShimLives(shim->folder)) return Lose(shim);
  if (tries == 0) {  // its socket is gone: end the rank, and the shim ends after it
    absl::StatusOr<std::string> text = ReadFile(shim->folder + "/" + base::kRankProcessFile);
    auto identity = text.ok() ? base::DecodeIdentity(*text) : std::nullopt;
    if (identity && Lives(*identity, boot_id_)) KillRemnants(*identity, boot_id_);
    tries = kConnectTries;
  }
  watch_.After(kConnectRetry, [this, shim, tries] { TryToConnect(shim, tries - 1); });
}

void ProcessTable::Open(const std::shared_ptr<Shim>& shim, int fd) {
  shim->fd = fd;
  watch_.Watch(fd, [this, shim] { Read(shim); });
}

void ProcessTable::Stop(const std::string& folder, base::Duration grace) {
  auto it = shims_.find(folder);
  if (it == shims_.end()) return;
  it->second->stop = absl::StrCat("stop ", grace.count() / 1000);
  if (it->second->fd >= 0) Send(*it->second, it->second->stop);
}

void ProcessTable::Release(const std::string& folder) {
  auto it = shims_.find(folder);
  if (it != shims_.end() && it->second->ended) Send(*it->second, "release");
}

void ProcessTable::Send(Shim& shim, const std::string& line) {
  std::string text = line + "\n";
  // Lines are few and short: a full socket means that the shim is gone, which Read will see.
  [[maybe_unused]] ssize_t n = send(shim.fd, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void ProcessTable::Read(const std::shared_ptr<Shim>& shim) {
  char buffer[16384];
  ssize_t n = recv(shim->fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {
    watch_.Forget(shim->fd);
    close(std::exchange(shim->fd, -1));
    return Lose(shim);
  }
  shim->pending.append(buffer, static_cast<size_t>(n));
  size_t end;
  while ((end = shim->pending.find('\n')) != std::string::npos) {
    std::string line = shim->pending.substr(0, end);
    shim->pending.erase(0, end + 1);
    TakeLine(shim, line);
  }
}

void ProcessTable::TakeLine(const std::shared_ptr<Shim>& shim, const std::string& line) {
  if (absl::StartsWith(line, "running ")) {
    shim->events.running(strtoll(line.c_str() + 8, nullptr, 10));
  } else if (absl::StartsWith(line, "exited ")) {
    auto exit = base::DecodeExit(base::UnescapeLine(std::string_view(line).substr(7)));
    if (exit) End(shim, ToExitRecord(*exit));
  }
}

// The connection has ended: with its record written, or killed.
void ProcessTable::Lose(const std::shared_ptr<Shim>& shim) {
  if (!shim->ended) {
    std::optional<protocol::ExitRecord> exit = ReadExit(shim->folder);
    End(shim, exit ? *exit : LostExit(shim->folder, shim->record_boot_id, boot_id_));
  }
  auto it = shims_.find(shim->folder);
  if (it != shims_.end() && it->second == shim) shims_.erase(it);
}

void ProcessTable::End(const std::shared_ptr<Shim>& shim, const protocol::ExitRecord& exit) {
  if (std::exchange(shim->ended, true)) return;
  shim->events.ended(exit);
}

void ProcessTable::Reap(pid_t pid) {
  int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (pidfd < 0) return;
  watch_.Watch(pidfd, [this, pid, pidfd] {
    waitpid(pid, nullptr, WNOHANG);
    watch_.Forget(pidfd);
    close(pidfd);
  });
}

}  // namespace coxswain::worker::process
