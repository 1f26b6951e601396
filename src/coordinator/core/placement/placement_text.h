// Why a gang waits, or can never run, in words with numbers.
#pragma once

#include <string>

#include "coordinator/core/placement/fleet_view.h"

namespace coxswain::coordinator::core {

// "2 ranks of 1 CPU slot and 2 GPUs (H100 or H200) each".
std::string NeedText(const PendingJob& job);

// "its checkpoints are in file:///x there, which no other node is known to see".
std::string TiedText(const std::string& store, const std::string& where);

// What it needs and what is free; it does not fit now.
std::string WhyNotNow(const PlacementView& view, const PendingJob& job);

// "; cannot start until a (draining) is back: 12 CPU slots are there in all"; empty: it would fit
// if all of the nodes that may be given work were free.
std::string WhyNotUntilBack(const PlacementView& view, const PendingJob& job);

// What no state of the fleet could ever satisfy; empty: it could fit when all nodes of `view` are
// free and usable. It begins with the key of the job file: "spec.workers: needs 7 ranks ...".
std::string WhyNever(const PlacementView& view, const PendingJob& job);

}  // namespace coxswain::coordinator::core
