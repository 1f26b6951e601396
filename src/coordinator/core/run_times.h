// How long jobs run from their first start to their end: as declared, or as earlier ones of the
// same user and name did.
#pragma once

#include <optional>

#include "coordinator/core/soft.h"

namespace coxswain::coordinator::core {

// 0: not known.
Duration WholeRun(const Soft& soft, const JobRow& job);

// What is left of the attempt that holds slots: by what its ranks say, else by WholeRun.
struct Remaining {
  Duration time;
  bool reported = false;  // it counts from the last report; else from the attempt's start
};
// Nothing: not known.
std::optional<Remaining> RemainingOf(const Soft& soft, const JobRow& job);

// A job ran so long to its end: the next one of its user and name is expected to, too.
void LearnRunTime(Soft* soft, const std::string& user, const std::string& name, Duration ran);

}  // namespace coxswain::coordinator::core
