// The history, newest first.
#pragma once

#include <string>
#include <vector>

#include "coordinator/core/rows.h"

namespace coxswain::coordinator::http {

// `events` ascending; at most `most` lines of it, where saves without trouble that follow one
// another are one, and of many others of one kind the newest stands for them. `with_job`: each
// names its job, with a link.
std::string EventsHtml(const std::vector<core::EventRow>& events, base::WallTime now, bool with_job,
                       size_t most);

}  // namespace coxswain::coordinator::http
