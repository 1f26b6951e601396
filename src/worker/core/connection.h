// A trainer's stream to this worker, as the core knows it.
#pragma once

#include "common/base/ids.h"
#include "common/protocol/worker_messages.h"

namespace coxswain::worker {

// One stream of one trainer or task process; never used twice within one life of the worker.
using ConnectionId = base::Number<struct ConnectionIdTag>;

// Who opened a stream, as TrainerHello says it. `task` is 0 for ranks.
struct TrainerIdentity {
  protocol::RankKey key;
  base::Incarnation incarnation;
  base::TaskId task;
};

}  // namespace coxswain::worker
