// The shims that run for this worker, each known by its folder. Lives on the worker's loop;
// callbacks run there, never from within a call of the table.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "common/protocol/worker_messages.h"
#include "worker/process/fd_watch.h"
#include "worker/process/shim_start.h"

namespace coxswain::worker::process {

struct ProcessEvents {
  std::function<void(int64_t pid)> running;                // the program has been executed
  std::function<void(const protocol::ExitRecord&)> ended;  // once; nothing comes after it
};

class ProcessTable {
 public:
  ProcessTable(FdWatch& watch, std::string boot_id);
  ~ProcessTable();  // shims go on
  ProcessTable(const ProcessTable&) = delete;
  ProcessTable& operator=(const ProcessTable&) = delete;

  // Not started: no callback will come.
  absl::Status Launch(const ShimProgram& program, ProcessEvents events);

  // A shim of an earlier life of this worker, seen alive just now. `record_boot_id`: of the rank's
  // record.
  void Adopt(const std::string& folder, const std::string& record_boot_id, ProcessEvents events);

  // SIGTERM, after the grace SIGKILL to the whole tree. Ignored for a folder without a shim.
  void Stop(const std::string& folder, base::Duration grace);

  // How it ended is known elsewhere too: its shim need not hold on to a record the disk refused.
  void Release(const std::string& folder);

 private:
  struct Shim;
  void Open(const std::shared_ptr<Shim>& shim, int fd);
  void TryToConnect(const std::shared_ptr<Shim>& shim, int tries);
  void Read(const std::shared_ptr<Shim>& shim);
  void TakeLine(const std::shared_ptr<Shim>& shim, const std::string& line);
  void Lose(const std::shared_ptr<Shim>& shim);
  void End(const std::shared_ptr<Shim>& shim, const protocol::ExitRecord& exit);
  void Reap(pid_t pid);
  void Send(Shim& shim, const std::string& line);

  FdWatch& watch_;
  const std::string boot_id_;
  std::map<std::string, std::shared_ptr<Shim>> shims_;
};

}  // namespace coxswain::worker::process
