// Reads the maps of the daemons' files. Inside common/config only.
#pragma once

#include "common/config/daemon_config.h"
#include "common/config/section.h"

namespace coxswain::config {

void ReadCoordinator(const YAML::Node& root, Notebook* notes, CoordinatorConfig* out);
void ReadWorker(const YAML::Node& root, Notebook* notes, WorkerConfig* out);

}  // namespace coxswain::config
