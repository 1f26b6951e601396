// The jobs of a trace, and where their files are.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <vector>

#include "sim/trace/pollux_app.h"

namespace coxswain::sim::trace {

struct TraceJob {
  std::string name;
  double submitted = 0;  // seconds since the trace begins
  uint32_t gpus = 1;
  std::unique_ptr<JobModel> model;
};

// `name,time,application,num_replicas,batch_size`, with the applications in `apps`/NAME.
// `moves`: what of a job's size the scheduler may decide; num_replicas then says nothing.
absl::StatusOr<std::vector<TraceJob>> ReadPollux(
    const std::string& csv, const std::string& apps,
    PolluxApp::Moves moves = PolluxApp::Moves::kNothing);

// `timestamp,duration,num_gpus`, of one cluster if `cluster` is not empty; the first `most` jobs.
absl::StatusOr<std::vector<TraceJob>> ReadPhilly(const std::string& csv, const std::string& cluster,
                                                 size_t most);

// Spot instances that came (true) and went.
struct Membership {
  double time = 0;  // seconds
  bool joins = true;
  std::string node;
};
// `time,add/remove,node`; times are ms.
absl::StatusOr<std::vector<Membership>> ReadBamboo(const std::string& csv);

}  // namespace coxswain::sim::trace
