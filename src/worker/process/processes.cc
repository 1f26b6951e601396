#include "worker/process/processes.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/process_tree.h"

namespace coxswain::worker::process {
namespace {

void KillSession(pid_t session) {
  DIR* proc = opendir("/proc");
  if (proc == nullptr) return;
  while (dirent* entry = readdir(proc)) {
    pid_t pid = static_cast<pid_t>(strtol(entry->d_name, nullptr, 10));
    if (pid > 0 && getsid(pid) == session) kill(pid, SIGKILL);
  }
  closedir(proc);
}

}  // namespace

std::string MachineBootId() { return shim::BootId(); }

bool Lives(const base::ProcessIdentity& identity, const std::string& boot_id) {
  return identity.pid > 0 && identity.boot_id == boot_id &&
         shim::StartTicks(static_cast<pid_t>(identity.pid)) == identity.start_ticks;
}

void KillRemnants(const base::ProcessIdentity& identity, const std::string& boot_id) {
  if (identity.boot_id != boot_id || identity.pid <= 0) return;
  pid_t pid = static_cast<pid_t>(identity.pid);
  // A pidfd pins the process, so that the number cannot change hands between check and signal.
  int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  uint64_t ticks = shim::StartTicks(pid);
  bool replaced = ticks != 0 && ticks != identity.start_ticks;
  if (!replaced) {
    if (pidfd >= 0 && ticks != 0) syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0);
    // A session's number is not given to a new process while the session has members.
    KillSession(pid);
  }
  if (pidfd >= 0) close(pidfd);
}

}  // namespace coxswain::worker::process
