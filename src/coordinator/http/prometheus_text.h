// The /metrics page.
#pragma once

#include <string>

#include "coordinator/runtime/api.h"

namespace coxswain::coordinator::http {

struct MetricFacts {
  base::WallTime now;
  runtime::ServerStatus status;
  std::map<core::JobState, uint64_t> jobs;
  std::vector<runtime::NodeView> nodes;
  std::vector<runtime::JobView> running, waiting;  // these get lines of their own
  runtime::QueuesView queues;
};

// Prometheus text format 0.0.4. Names are an interface: dashboards and alerts use them.
std::string PrometheusText(const MetricFacts& facts);

}  // namespace coxswain::coordinator::http
