// The soft part of what people see, published by the core for readers. Everything durable is read
// from the store; this is laid over it.
#pragma once

#include "coordinator/core/rows.h"

namespace coxswain::coordinator::core {

struct LiveRank {
  Rank rank = 0;
  bool reachable = true;
  protocol::Phase phase = protocol::Phase::kStarting;
  int64_t step = 0;
};

struct LiveJob {
  JobId id;
  bool gone = false;                                  // final: forget the view
  std::string reason;                                 // the current one, with numbers
  std::optional<protocol::TrainerProgress> progress;  // of the lowest rank that reported
  WallTime progress_at;
  std::vector<LiveRank> ranks;
  std::vector<std::string> conditions;
};

struct LiveNode {
  NodeId id;
  bool gone = false;
  bool reachable = false;
  bool left = false;  // its worker said that it shuts down, and no rank of it is left behind
  Incarnation incarnation;
  WallTime last_heartbeat, connected;
  uint32_t cpu_slots_free = 0;
  std::vector<JobId> jobs;
  std::map<std::string, JobId> gpu_jobs;  // by UUID
  std::vector<std::string> conditions;    // beside those of its inventory
};

}  // namespace coxswain::coordinator::core
