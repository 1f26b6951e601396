// What can happen to the coordinator: past-tense structs. The shell stamps them with both clocks,
// in the order in which the core decides on them.
#pragma once

#include "coordinator/core/rows.h"

namespace coxswain::coordinator::core {

using CallId = base::Number<struct CallIdTag>;        // a waiting API call; 0: nobody waits
using SessionId = base::Number<struct SessionIdTag>;  // one stream of one worker; never reused

// A checked and parsed submission. Its resume_from has been resolved (to a URI) by the shell.
struct JobSubmitted {
  CallId call;
  JobRequest request;
  std::string spec_yaml;
  std::string idempotency_key;
  std::string request_digest;
  std::string submitted_by;
  std::string resume_uri;
  bool allow_uncommitted = false;
  bool dry_run = false;
};
struct CancelRequested {
  CallId call;
  JobId job;
  std::string reason;
  bool save = false;
};
struct DrainRequested {
  CallId call;
  NodeId node;
  std::string reason;
  bool undo = false;
  WallTime by;  // its jobs are to be gone by then; 0: they go on
};
// A node that is gone for good is to leave the lists.
struct ForgetRequested {
  CallId call;
  NodeId node;
};
// A worker's stream has begun (the shell has checked the token and the protocol range). The core
// answers with Welcome or Rejected.
struct WorkerConnected {
  SessionId session;
  protocol::WorkerHello hello;
};
struct WorkerDisconnected {
  SessionId session;
  std::string reason;
};
// Anything but hello, metrics and log data, from a session that was welcomed.
struct WorkerReported {
  SessionId session;
  protocol::WorkerReport report;
};
// Some time has passed: the shell sends it when NextDeadline() is due. `loop_delay`: by how much
// the loop was late; leases are longer by that much.
struct TimePassed {
  base::Duration loop_delay{};
};
// Final jobs and events that are over the retention limits (found by the store).
struct RetentionDue {
  std::vector<JobId> jobs;
  EventSeq events_up_to;
};

using EventBody =
    std::variant<JobSubmitted, CancelRequested, DrainRequested, ForgetRequested, WorkerConnected,
                 WorkerDisconnected, WorkerReported, TimePassed, RetentionDue>;

struct Event {
  uint64_t seq = 0;  // rises by one; gives replays their order
  base::Time now;
  WallTime wall;
  uint64_t entropy =
      0;  // fresh random bits of the shell: the core makes incarnations and prefixes of it
  EventBody body;
  bool more = false;  // another one follows at once: one plan after them all will do
};

}  // namespace coxswain::coordinator::core
