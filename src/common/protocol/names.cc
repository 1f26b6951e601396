#include "common/protocol/worker_messages.h"

namespace coxswain::protocol {

const char* ToString(Phase phase) {
  switch (phase) {
    case Phase::kStarting:
      return "starting";
    case Phase::kWaiting:
      return "waiting";
    case Phase::kForming:
      return "forming";
    case Phase::kRestoring:
      return "restoring";
    case Phase::kData:
      return "data";
    case Phase::kForward:
      return "forward";
    case Phase::kBackward:
      return "backward";
    case Phase::kAllReduce:
      return "all-reduce";
    case Phase::kOptimizer:
      return "optimizer";
    case Phase::kEvaluation:
      return "evaluation";
    case Phase::kCheckpoint:
      return "checkpoint";
    case Phase::kExport:
      return "export";
    case Phase::kProgram:
      return "program";
    case Phase::kDone:
      return "done";
  }
  return "unknown";
}

const char* ToString(FailureKind kind) {
  switch (kind) {
    case FailureKind::kNone:
      return "NONE";
    case FailureKind::kSettings:
      return "SETTINGS";
    case FailureKind::kData:
      return "DATA";
    case FailureKind::kDiverged:
      return "DIVERGED";
    case FailureKind::kOutOfMemory:
      return "OUT_OF_MEMORY";
    case FailureKind::kBug:
      return "BUG";
    case FailureKind::kKilled:
      return "KILLED";
    case FailureKind::kLostNode:
      return "LOST_NODE";
    case FailureKind::kLostPeer:
      return "LOST_PEER";
    case FailureKind::kStore:
      return "STORE";
    case FailureKind::kNotStarted:
      return "NOT_STARTED";
    case FailureKind::kDevice:
      return "DEVICE";
  }
  return "unknown";
}

const char* ToString(RankState state) {
  switch (state) {
    case RankState::kStarting:
      return "STARTING";
    case RankState::kReady:
      return "READY";
    case RankState::kRunning:
      return "RUNNING";
    case RankState::kExited:
      return "EXITED";
  }
  return "UNKNOWN";
}

const char* ToString(TaskKind kind) {
  switch (kind) {
    case TaskKind::kCheck:
      return "check";
    case TaskKind::kVerify:
      return "verify";
    case TaskKind::kCollect:
      return "collect";
  }
  return "unknown";
}

}  // namespace coxswain::protocol
