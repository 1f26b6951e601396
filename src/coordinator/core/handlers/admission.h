// Whether a worker's stream may begin. Outcomes are data: a rejection with words to act on, or
// none.
#pragma once

#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

std::optional<protocol::Rejected> WhyRejected(Turn& turn, const protocol::WorkerHello& hello);

}  // namespace coxswain::coordinator::core
