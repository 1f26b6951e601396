// The section `scheduling` of coordinator.yaml. Inside common/config only.
#pragma once

#include "common/config/daemon_config.h"
#include "common/config/section.h"

namespace coxswain::config {

void ReadScheduling(Section& in, SchedulingConfig* out);

}  // namespace coxswain::config
