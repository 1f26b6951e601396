// Reads the sections of a job file into a JobSpec, and checks what only several keys together can
// get wrong. Inside common/config only.
#pragma once

#include <string>
#include <vector>

#include "common/config/job_spec.h"
#include "common/config/section.h"

namespace coxswain::config {

// The whole file. `root` may be null (an empty file).
void ReadJob(const YAML::Node& root, Notebook* notes, JobSpec* job,
             std::vector<std::string>* warnings);

}  // namespace coxswain::config
