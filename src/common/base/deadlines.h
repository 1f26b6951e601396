// Every timeout of the system, derived from one setting, the lease, so that no inner deadline can
// outlive an outer one. Nothing else in the code states a liveness timeout.
#pragma once

#include "common/base/time.h"

namespace coxswain::base {

struct Deadlines {
  Duration lease = seconds(5);

  // A worker's heartbeat: five chances within one lease.
  constexpr Duration Heartbeat() const { return lease / 5; }
  // How long a node may be unreachable, with every rank of a job on it, before the job starts
  // elsewhere.
  constexpr Duration NodeLostAfter() const { return lease * 6; }
  // Re-sending of anything that has not been answered.
  constexpr Duration Repeat() const { return lease / 5; }
  // First and longest pause between reconnections.
  constexpr Duration ReconnectFirst() const { return lease / 50; }
  constexpr Duration ReconnectLongest() const { return lease / 2; }
  // One attempt to connect, and the longest silence before a connection is probed or given up.
  constexpr Duration Connect() const { return lease; }
  constexpr Duration KeepAlive() const { return lease; }
  // Forming a group of ranks (rendezvous and connections), before a new generation is made.
  constexpr Duration FormGroup() const { return lease * 6; }
  // From starting a rank's process to its "ready".
  constexpr Duration TrainerReady() const { return lease * 12; }
  // SIGTERM to SIGKILL, unless the job states its own grace.
  constexpr Duration StopGrace() const { return lease * 2; }
  // Checking a job's data and store at submit.
  constexpr Duration CheckTask() const { return lease * 2; }
  // A collective that makes no progress (Gloo's own timeout, the last resort).
  constexpr Duration Collective() const { return lease * 60; }
};

}  // namespace coxswain::base
