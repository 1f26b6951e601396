// What one node has for a gang that waits: a line of `cox explain`.
#pragma once

#include <string>

#include "coordinator/core/placement/fleet_view.h"

namespace coxswain::coordinator::core {

struct NodeFit {
  uint32_t ranks = 0;   // of the gang that it has room for now
  std::string why_not;  // of none; in words, with numbers
};

// Looks at the node alone: not at racks, nor at which node holds the job's checkpoints.
NodeFit FitOn(const NodeCapacity& node, const PendingJob& job);

}  // namespace coxswain::coordinator::core
