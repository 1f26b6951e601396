// The learning rate of a step. Pure.
#pragma once

#include <cstdint>

#include "common/config/job_spec.h"

namespace coxswain::trainer::engine {

// `step`: 1-based number of the update; `total_steps`: of the whole run, at least 1. During warm-up
// the rate rises linearly and reaches the top at step `warmup_steps`; then it stays, or falls to
// final_fraction of the top at the last step: along half a cosine (Loshchilov and Hutter, ICLR
// 2017), or a line.
double LearningRate(const config::Schedule& schedule, double top, int64_t step,
                    int64_t total_steps);

}  // namespace coxswain::trainer::engine
