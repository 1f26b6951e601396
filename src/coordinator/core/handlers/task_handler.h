// Work on stores, done by `cox-trainer --task` on some worker: checks, verification, collection.
#pragma once

#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

// A node that may be given a task: connected, able to start it, not draining, least busy; `only`:
// this one or none, and then even while it drains.
std::optional<NodeId> NodeForTask(Turn& turn, const std::optional<NodeId>& only);
// For people, where there is none.
std::string WhyNoNodeForTask(const Turn& turn);

TaskId StartTask(Turn& turn, TaskSoft task, std::string argument, std::string spec_yaml);
// Forgets it. Nothing: not known (ended, or its deadline passed).
std::optional<TaskSoft> TakeTask(Turn& turn, TaskId id);

void Handle(Turn& turn, const protocol::TaskEnded& report);
// Its worker is gone, or its time is over.
void LoseTask(Turn& turn, TaskId id, const std::string& why);

// What a check is about. `at_submit`: a store that cannot be reached is then the submission's
// fault; later it is waited for.
struct CheckSubject {
  const JobRequest& request;
  const std::string& spec_yaml;
  const std::string& resume_uri;
  bool allow_uncommitted = false;
  bool at_submit = false;
  bool elsewhere =
      false;  // the machine that looks is not the one with the checkpoint to begin with
};
std::string CheckArgument(Turn& turn, const CheckSubject& subject);

}  // namespace coxswain::coordinator::core
