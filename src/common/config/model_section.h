// Reads spec.model. Inside common/config only.
#pragma once

#include "common/config/job_spec.h"
#include "common/config/section.h"

namespace coxswain::config {

void ReadModel(Section& in, const Data& data, Model* out);

}  // namespace coxswain::config
