// Checkpoints from the opened row to the recorded commit. Only the newest generation of a live
// attempt may commit; everything else is refused with a reason.
#pragma once

#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

// What a new attempt of the job may restore, the first that can be used; empty: from the start.
std::vector<protocol::RestoreCandidate> RestoreCandidates(const Turn& turn, const JobRow& job);

// `rank` is what the tables have of the sender; null: nothing that lives. `key` and `incarnation`
// are the sender's, on `session`.
struct TrainerSender {
  SessionId session;
  NodeId node;
  protocol::RankKey key;
  Incarnation incarnation;
  const RankRow* rank = nullptr;
};
void Handle(Turn& turn, const TrainerSender& from, const protocol::OpenCheckpoint& report);
void Handle(Turn& turn, const TrainerSender& from, const protocol::ShardStored& report);
void Handle(Turn& turn, const TrainerSender& from, const protocol::ManifestWritten& report);
void Handle(Turn& turn, const TrainerSender& from, const protocol::CheckpointFailed& report);

// Training has come to its end at `step`: the newest checkpoint, if it is of that, is the final
// one.
void MarkFinal(Turn& turn, JobId job, int64_t step);
// Its attempt or generation is over: what was not committed never will be.
void AbortOpenCheckpoints(Turn& turn, JobId job, const std::string& reason);
// The rank's worker has come back, or this coordinator has: what is open is said again, to which
// the rank answers at once with how far it is; and the newest commit, in case nobody heard of it.
void RepeatCheckpoints(Turn& turn, const RankRow& rank);

}  // namespace coxswain::coordinator::core
