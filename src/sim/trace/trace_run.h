// A trace through the real coordinator core, on virtual time.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "coordinator/core/coordinator.h"
#include "sim/trace/workload.h"

namespace coxswain::sim::trace {

namespace core = coordinator::core;

struct TraceSettings {
  coordinator::core::SchedulingSettings scheduling;
  uint32_t nodes = 16;
  uint32_t gpus_per_node = 4;
  double penalty = 30;                 // seconds that every start or restart takes before it trains
  std::vector<Membership> membership;  // instead of `nodes`
};

struct TraceRow {
  std::string name;
  uint32_t gpus = 1;
  double submitted = 0, started = 0, ended = 0;  // seconds since the trace begins
  uint64_t attempts = 0;
  double gpu_seconds = 0;  // that it held
};

struct TraceResult {
  std::vector<TraceRow> rows;  // as submitted
  double makespan = 0;
  double utilisation = 0;  // GPU seconds held over those that were there until the makespan
  uint64_t decisions = 0;
};

// InvalidArgument: a job can never run there. Internal: one did not end.
absl::StatusOr<TraceResult> RunTrace(const TraceSettings& settings, std::vector<TraceJob> jobs);

// `cox-sim trace ...`. 0: done; 1: it could not be run; 2: usage.
int Trace(const std::vector<std::string>& arguments);

}  // namespace coxswain::sim::trace
