// Why a job is as it is, put together from what is committed and what is live. Pure.
#pragma once

#include "coordinator/core/coordinator.h"
#include "coordinator/runtime/api.h"

namespace coxswain::coordinator::runtime {

// `queues`: as ListQueues tells them, with the same settings.
Explanation Explain(JobView job, const QueuesView& queues, const std::vector<NodeView>& nodes,
                    const core::SchedulingSettings& settings);

// What is wrong with queues as a whole: quotas that the nodes that are connected cannot keep, jobs
// of queues that are no longer configured.
std::vector<std::string> QueueWarnings(const std::vector<core::LiveQueue>& queues,
                                       const std::vector<NodeView>& nodes);

}  // namespace coxswain::coordinator::runtime
