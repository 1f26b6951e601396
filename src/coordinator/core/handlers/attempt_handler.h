// The life of an attempt: ranks started, stopped, gone; and what follows when all of them have
// gone.
//
// An attempt is healthy while its row has no cause. With a cause and no end it is being stopped; it
// ends when its last rank has exited (or was lost with its node).
#pragma once

#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

struct Failure {
  Cause cause = Cause::kInfrastructure;
  std::string reason;
  std::optional<Exit> exit;  // of the culprit, when it has exited
  bool user_error = false;   // another try cannot help
  protocol::FailureKind kind = protocol::FailureKind::kNone;
  std::optional<Rank> leaving;  // the culprit, when it is about to exit by itself
};

void StartAttempt(Turn& turn, const Placement& placement);
void SendStartRank(Turn& turn, const RankRow& rank);

// Has the failure recorded and the other ranks stopped. Of an attempt that is failing already, only
// a better culprit is taken over.
void FailAttempt(Turn& turn, JobId job, const Failure& failure);

// On purpose (cancel, time limit): with `save`, trainers are told first and signals follow after
// grace.
void StopAttempt(Turn& turn, JobId job, Cause cause, const std::string& reason, bool save);

// Signals to every rank that is still there.
void StopRanks(Turn& turn, JobId job, Duration grace, const std::string& reason);
Duration JobGrace(const Turn& turn, const JobRow& job);

// The process of this rank is gone (or given up for lost).
void EndRank(Turn& turn, const protocol::RankKey& key, const protocol::ExitRecord& record);

// The attempt ends, if its last rank has gone.
void EndAttemptIfOver(Turn& turn, JobId job);

}  // namespace coxswain::coordinator::core
