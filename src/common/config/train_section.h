// Reads `spec.train`, and checks it against the number of ranks. Inside common/config only.
#pragma once

#include <cstdint>

#include "common/config/job_spec.h"
#include "common/config/section.h"

namespace coxswain::config {

// How many ranks there are at first, and at most.
struct WorkerRange {
  uint32_t workers = 1, max = 1;
};

void ReadTrain(Section& in, const WorkerRange& ranks, Train* out);
// Whether spec.train.class_weights and label_smoothing go with the data.
void CheckTargets(Section& in, const Data& data, const Train& train);
// Whether spec.train.cuda_graphs goes with the rest, all of which has been read.
void CheckGraphs(Section& in, const JobSpec& job);

}  // namespace coxswain::config
