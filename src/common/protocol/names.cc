#include "common/protocol/worker_messages.h"

namespace coxswain::protocol {

const char* ToString(Phase phase) {
  switch (phase) {
    case Phase::kStarting: return "starting";
    case Phase::kWaiting: return "waiting";
    case Phase::kForming: return "forming";
    case Phase::kRestoring: return "restoring";
    case Phase::kData: return "data";
    case Phase::kForward: return "forward";
    case Phase::kBackward: return "backward";
    case Phase::kAllReduce: return "all-reduce";
    case Phase::kOptimizer: return "optimizer";
    case Phase::kEvaluation: return "evaluation";
    case Phase::kCheckpoint: return "checkpoint";
    case Phase::kExport: return "export";
    case Phase::kDone: return "done";
  }
  return "unknown";
}

const char* ToString(RankState state) {
  switch (state) {
    case RankState::kStarting: return "STARTING";
    case RankState::kReady: return "READY";
    case RankState::kRunning: return "RUNNING";
    case RankState::kExited: return "EXITED";
  }
  return "UNKNOWN";
}

const char* ToString(TaskKind kind) {
  switch (kind) {
    case TaskKind::kCheck: return "check";
    case TaskKind::kVerify: return "verify";
    case TaskKind::kCollect: return "collect";
  }
  return "unknown";
}

}  // namespace coxswain::protocol
