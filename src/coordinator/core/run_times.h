// How long jobs run from their first start to their end: as declared, or as earlier ones of the
// same user and name did.
#pragma once

#include "coordinator/core/soft.h"

namespace coxswain::coordinator::core {

// 0: not known.
Duration WholeRun(const Soft& soft, const JobRow& job);
// When the attempt that holds slots ends, by what its ranks say of what remains, else by WholeRun.
// 0: not known; past: any moment.
WallTime ExpectedEnd(const Soft& soft, const JobRow& job, const AttemptRow& attempt);

// A job ran so long to its end: the next one of its user and name is expected to, too.
void LearnRunTime(Soft* soft, const std::string& user, const std::string& name, Duration ran);

}  // namespace coxswain::coordinator::core
