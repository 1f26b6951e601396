// Cancellation, with or without a last checkpoint.
#pragma once

#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

void Handle(Turn& turn, const CancelRequested& event);

}  // namespace coxswain::coordinator::core
