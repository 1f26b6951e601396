// What evaluations decide: when training ends early, and which checkpoint is the best.
#pragma once

#include "common/config/job_spec.h"
#include "common/config/section.h"

namespace coxswain::config {

// spec.train.early_stopping; `train`: the section above it.
void ReadEarlyStopping(Section& train, const Data& data, EarlyStopping* out);
// spec.checkpoint.best; `checkpoint`: the section above it.
void ReadBest(Section& checkpoint, bool own_program, const Data& data, Checkpoint* out);

}  // namespace coxswain::config
