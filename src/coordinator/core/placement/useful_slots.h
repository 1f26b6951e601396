// Would a gang that waits have anything of it if this one let go?
#pragma once

#include "coordinator/core/placement/fleet_view.h"

namespace coxswain::coordinator::core {

// Some of what it holds is on a node that the gang may use and that could hold it (a rank of it, or
// all of it where it has to be on one), and is of a kind that the gang asks for.
bool HoldsUsefulSlots(const PlacementView& view, const PendingJob& job, const Holding& holding);

}  // namespace coxswain::coordinator::core
