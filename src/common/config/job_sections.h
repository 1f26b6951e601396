// Reads the sections of a job file into a JobSpec, and checks what only several keys together can
// get wrong. Inside common/config only.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/config/job_parser.h"
#include "common/config/job_spec.h"
#include "common/config/section.h"

namespace coxswain::config {

// The whole file. `root` may be null (an empty file). `wrong_queue`: as JobSite's, or none.
void ReadJob(const YAML::Node& root, const JobSite& site, Notebook* notes, JobSpec* job,
             std::vector<std::string>* warnings);

}  // namespace coxswain::config
