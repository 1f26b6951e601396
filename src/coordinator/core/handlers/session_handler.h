// Workers' streams: who may connect, what differs between what a worker has and what the tables
// say, and what its reports are about.
#pragma once

#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

void Handle(Turn& turn, const WorkerConnected& event);
void Handle(Turn& turn, const WorkerDisconnected& event);
void Handle(Turn& turn, const WorkerReported& event);

}  // namespace coxswain::coordinator::core
