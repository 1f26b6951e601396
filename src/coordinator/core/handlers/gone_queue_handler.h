// Jobs of queues that the configuration no longer has: they count as those of the default one.
#pragma once

#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

// With the first decision of a life, once for each such queue. A start itself decides nothing.
void TellGoneQueues(Turn& turn);

}  // namespace coxswain::coordinator::core
