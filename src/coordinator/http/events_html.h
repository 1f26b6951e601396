// The history, newest first.
#pragma once

#include <string>
#include <vector>

#include "coordinator/core/rows.h"

namespace coxswain::coordinator::http {

// `events` ascending. `with_job`: each names its job, with a link.
std::string EventsHtml(const std::vector<core::EventRow>& events, base::WallTime now,
                       bool with_job);

}  // namespace coxswain::coordinator::http
