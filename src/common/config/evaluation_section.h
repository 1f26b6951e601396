// What evaluations decide: when training ends early.
#pragma once

#include "common/config/job_spec.h"
#include "common/config/section.h"

namespace coxswain::config {

// spec.train.early_stopping; `train`: the section above it.
void ReadEarlyStopping(Section& train, const Data& data, EarlyStopping* out);

}  // namespace coxswain::config
