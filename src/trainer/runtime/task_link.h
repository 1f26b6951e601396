// How `cox-trainer --task` meets its worker: it takes one task and reports its end. Made by
// trainer/rpc. Blocking calls, one thread.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/ids.h"
#include "common/protocol/worker_messages.h"

namespace coxswain::trainer {

struct TaskLinkSettings {
  std::string socket;  // COXSWAIN_SOCKET: path of the worker's Unix socket
  base::TaskId task;   // COXSWAIN_TASK
};

class TaskLink {
 public:
  virtual ~TaskLink() = default;

  // Waits for the task's order, connecting as often as it takes. DeadlineExceeded after `limit`;
  // PermissionDenied: the worker does not want this process (any more), it must exit.
  virtual absl::StatusOr<protocol::StartTask> Receive(base::Duration limit) = 0;

  // Sends the end of the task until the worker has confirmed it. Errors as above.
  virtual absl::Status Report(const protocol::TaskEnded& ended, base::Duration limit) = 0;
};

// In trainer/rpc.
std::unique_ptr<TaskLink> MakeTaskLink(const TaskLinkSettings& settings);

}  // namespace coxswain::trainer
