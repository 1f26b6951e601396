// The /metrics page.
#pragma once

#include <string>

#include "coordinator/runtime/api.h"

namespace coxswain::coordinator::http {

// Prometheus text format 0.0.4. Names are an interface: dashboards and alerts use them.
// `running`: the jobs that get lines of their own.
std::string PrometheusText(const runtime::ServerStatus& status,
                           const std::map<core::JobState, uint64_t>& jobs,
                           const std::vector<runtime::NodeView>& nodes,
                           const std::vector<runtime::JobView>& running, base::WallTime now);

}  // namespace coxswain::coordinator::http
