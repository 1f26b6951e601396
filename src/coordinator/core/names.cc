#include "coordinator/core/rows.h"

namespace coxswain::coordinator::core {

const char* ToString(JobState state) {
  switch (state) {
    case JobState::kPending:
      return "PENDING";
    case JobState::kRunning:
      return "RUNNING";
    case JobState::kRecovering:
      return "RECOVERING";
    case JobState::kCompleted:
      return "COMPLETED";
    case JobState::kFailed:
      return "FAILED";
    case JobState::kCancelled:
      return "CANCELLED";
    case JobState::kTimeout:
      return "TIMEOUT";
    case JobState::kNodeFail:
      return "NODE_FAIL";
    case JobState::kPreempted:
      return "PREEMPTED";
    case JobState::kOutOfMemory:
      return "OUT_OF_MEMORY";
  }
  return "UNKNOWN";
}

const char* ToString(CheckpointState state) {
  switch (state) {
    case CheckpointState::kOpen:
      return "OPEN";
    case CheckpointState::kCommitted:
      return "COMMITTED";
    case CheckpointState::kVerified:
      return "VERIFIED";
    case CheckpointState::kCorrupt:
      return "CORRUPT";
    case CheckpointState::kAborted:
      return "ABORTED";
    case CheckpointState::kDeleted:
      return "DELETED";
    case CheckpointState::kDeleting:
      return "DELETING";
  }
  return "UNKNOWN";
}

}  // namespace coxswain::coordinator::core
