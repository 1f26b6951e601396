// A worker's decisions as text, one line each.
#pragma once

#include <string>

#include "worker/core/decisions.h"

namespace coxswain::worker::core {

std::string ToText(const Decisions& decisions);

}  // namespace coxswain::worker::core
