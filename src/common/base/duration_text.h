// Lengths of time for people: the one place that writes them.
#pragma once

#include <string>

#include "common/base/time.h"

namespace coxswain::base {

// "1.5 s", "41 s", "1 min 23 s", "40 min", "10 h", "2 h 3 min", "2 d 7 h": the two largest units,
// the second one where it says something; cut, not rounded. Below 0: "0 s".
std::string DurationText(Duration duration);
// For estimates: "less than a minute", "about 40 min", "about 2 h 3 min", "about 2 d 7 h"; rounded.
std::string AboutText(Duration duration);
std::string InText(Duration duration);  // "in about 40 min", "any moment" of 0 and below

}  // namespace coxswain::base
