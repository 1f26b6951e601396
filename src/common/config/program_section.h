// Reads `spec.command` and the keys that belong to it, and notes what a job with a program of its
// own cannot have. Inside common/config only.
#pragma once

#include "common/config/job_parser.h"
#include "common/config/job_spec.h"
#include "common/config/section.h"

namespace coxswain::config {

// `in` is `spec`.
void ReadProgram(Section& in, const JobSite& site, Program* out);

}  // namespace coxswain::config
